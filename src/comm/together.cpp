// SPDX-License-Identifier: Apache-2.0
#include "strata/comm/together.hpp"

#include <array>
#include <exception>
#include <new>

#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"

namespace strata::comm {
namespace {

constexpr char kEnd = '\0';

std::string pack(const Error& error) {
  return std::to_string(error.exit_code()) + kEnd + error.subject() + kEnd + error.message() + kEnd + error.hint();
}

[[noreturn]] void fail_like(const std::string& packed, std::size_t rank) {
  std::array<std::string, 4> parts;
  std::size_t part = 0;
  for (const char c : packed) {
    if (c == kEnd && part + 1 < parts.size()) {
      ++part;
    } else {
      parts[part] += c;
    }
  }
  fail(static_cast<ErrorKind>(std::stoi(parts[0])), parts[1], parts[2] + " (on rank " + std::to_string(rank) + ")",
       parts[3]);
}

std::string failure_of(const std::function<void()>& work, std::exception_ptr& mine) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::communication || error.kind() == ErrorKind::timeout) throw;
    mine = std::current_exception();
    return pack(error);
  } catch (const std::bad_alloc&) {
    mine = std::current_exception();
    return pack(Error(ErrorKind::environment, "memory", "the system has no memory left", "use fewer ranks a machine",
                      std::source_location::current()));
  } catch (const std::exception& error) {
    mine = std::current_exception();
    return pack(Error(ErrorKind::internal, "together", error.what(), "", std::source_location::current()));
  }
}

}  // namespace

void together(Communicator& group, const std::function<void()>& work) {
  if (group.size() == 1) return work();
  std::exception_ptr mine;
  const auto failures = gather_texts(group, failure_of(work, mine));
  for (std::size_t rank = 0; rank < failures.size(); ++rank) {
    if (failures[rank].empty()) continue;
    if (rank == static_cast<std::size_t>(group.rank())) std::rethrow_exception(mine);
    fail_like(failures[rank], rank);
  }
}

}  // namespace strata::comm
