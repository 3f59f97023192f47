// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/mpi_check.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "strata/base/error.hpp"

namespace strata::comm {

void check_mpi(int code, const char* expression, std::source_location where) {
  if (code == MPI_SUCCESS) [[likely]]
    return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0, rank = -1;
  MPI_Error_string(code, text.data(), &length);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::string_view call(expression);
  call = call.substr(0, call.find('('));
  fail(ErrorKind::communication, "mpi",
       fmt::format("{} failed on world rank {}: {}", call, rank,
                   std::string_view(text.data(), static_cast<std::size_t>(length))),
       "another rank may have called something else, or be gone", where);
}

}  // namespace strata::comm
