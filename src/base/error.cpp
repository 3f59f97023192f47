// SPDX-License-Identifier: Apache-2.0
#include "strata/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace strata {
namespace {

thread_local int rank_label = -1;

std::string one_line(std::string_view subject, std::string_view message, std::string_view hint) {
  std::string line = fmt::format("[{}] {}", subject, message);
  if (rank_label >= 0) line += fmt::format(" (rank {})", rank_label);
  if (!hint.empty()) line += fmt::format(": {}", hint);
  return line;
}

std::string_view file_name(const char* path) {
  const std::string_view whole(path);
  const auto slash = whole.find_last_of('/');
  return slash == std::string_view::npos ? whole : whole.substr(slash + 1);
}

}  // namespace

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::internal: return "internal";
    case ErrorKind::usage: return "usage";
    case ErrorKind::data: return "data";
    case ErrorKind::environment: return "environment";
    case ErrorKind::numeric: return "numeric";
    case ErrorKind::communication: return "communication";
    case ErrorKind::timeout: return "timeout";
    case ErrorKind::checkpoint: return "checkpoint";
  }
  return "unknown";
}

Error::Error(ErrorKind kind, std::string_view subject, std::string_view message, std::string_view hint,
             std::source_location where)
    : std::runtime_error(one_line(subject, message, hint)),
      kind_(kind),
      subject_(subject),
      message_(message),
      hint_(hint),
      where_(where),
      rank_(rank_label) {}

std::string Error::block() const {
  std::string text = fmt::format("error ({}): [{}] {}\n", name_of(kind_), subject_, message_);
  text += fmt::format("  where: {}:{} in {}\n", file_name(where_.file_name()), where_.line(), where_.function_name());
  if (rank_ >= 0) text += fmt::format("  rank:  {}\n", rank_);
  if (!hint_.empty()) text += fmt::format("  try:   {}\n", hint_);
  return text;
}

void fail(ErrorKind kind, std::string_view subject, std::string_view message, std::string_view hint,
          std::source_location where) {
  throw Error(kind, subject, message, hint, where);
}

void fail_assert(const char* expression, std::source_location where) {
  fail(ErrorKind::internal, "assert", fmt::format("'{}' does not hold", expression),
       "this is a bug in Strata: please report it with this block", where);
}

void set_thread_rank_label(int rank) { rank_label = rank; }
int thread_rank_label() { return rank_label; }

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace strata
