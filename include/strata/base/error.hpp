// SPDX-License-Identifier: Apache-2.0
//
// One error type for the whole engine. An error names its subject in brackets, says what was wrong with the values,
// and, where it can, what to try. Kinds map to the program's exit codes. Throwing is for the cold path: checks cost one
// predictable branch, messages are built only on failure.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace strata {

// The numeric values are the exit codes of the command-line program.
enum class ErrorKind : int {
  internal = 1,       // a bug in Strata itself
  usage = 2,          // arguments or configuration
  data = 3,           // files and their contents
  environment = 4,    // memory, devices, libraries, file system
  numeric = 5,        // NaN or infinity where none may be
  communication = 6,  // another rank, or the network
  timeout = 7,
  checkpoint = 8,
};

std::string_view name_of(ErrorKind kind);

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string_view subject, std::string_view message, std::string_view hint,
        std::source_location where);

  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }
  const std::string& subject() const { return subject_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  const std::source_location& where() const { return where_; }

  // The block a person reads: what, where in the code, which rank, what to try.
  std::string block() const;

 private:
  ErrorKind kind_;
  std::string subject_, message_, hint_;
  std::source_location where_;
  int rank_;
};

// Throws Error. `what()` reads "[subject] message (rank r): hint".
[[noreturn]] void fail(ErrorKind kind, std::string_view subject, std::string_view message, std::string_view hint = {},
                       std::source_location where = std::source_location::current());

// A broken promise inside Strata: prints the expression as message.
[[noreturn]] void fail_assert(const char* expression, std::source_location where = std::source_location::current());

// The rank shown in errors and log lines of the calling thread; -1 (the default) shows none. A label for people, never
// used for decisions.
void set_thread_rank_label(int rank);
int thread_rank_label();

// The candidate nearest to `name` by edit distance, or empty when none is near: for "unknown x, did you mean y".
template <class Range>
std::string_view nearest_name(std::string_view name, const Range& candidates);

int edit_distance(std::string_view a, std::string_view b);

template <class Range>
std::string_view nearest_name(std::string_view name, const Range& candidates) {
  std::string_view best;
  int best_distance = static_cast<int>(name.size()) / 2 + 2;
  for (const auto& candidate : candidates) {
    const int distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace strata

// Always on. `message` is evaluated only on failure, so it may format.
#define STRATA_CHECK(condition, kind, subject, message, ...)                                  \
  do {                                                                                        \
    if (!(condition)) [[unlikely]]                                                            \
      ::strata::fail(::strata::ErrorKind::kind, subject, message __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

// For promises between Strata's own parts: on in debug and sanitizer builds, compiled out otherwise.
#ifdef STRATA_DEBUG_CHECKS
#define STRATA_DCHECK(condition)         \
  do {                                   \
    if (!(condition)) [[unlikely]]       \
      ::strata::fail_assert(#condition); \
  } while (false)
#else
#define STRATA_DCHECK(condition) \
  do {                           \
  } while (false)
#endif
