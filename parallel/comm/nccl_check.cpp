// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl_check.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

namespace strata::comm {
namespace {

std::string_view name_in(std::string_view expression) { return expression.substr(0, expression.find('(')); }

}  // namespace

std::string describe(ncclResult_t code) {
  const char* last = ncclGetLastError(nullptr);
  const bool said = last != nullptr && *last != '\0';
  return fmt::format("{}{}{}", ncclGetErrorString(code), said ? ": " : "", said ? last : "");
}

void check_nccl(ncclResult_t code, std::string_view expression, std::source_location where) {
  if (code == ncclSuccess || code == ncclInProgress) [[likely]]
    return;
  fail(ErrorKind::communication, "nccl", fmt::format("{} failed: {}", name_in(expression), describe(code)),
       "NCCL_DEBUG=WARN in the environment makes NCCL say more", where);
}

void check_cuda(cudaError_t code, std::string_view expression, std::source_location where) {
  if (code == cudaSuccess) [[likely]]
    return;
  fail(ErrorKind::environment, "nccl", fmt::format("{} failed: {}", name_in(expression), cudaGetErrorString(code)),
       "strata info lists the devices there are", where);
}

}  // namespace strata::comm
