// SPDX-License-Identifier: Apache-2.0
//
// Status codes of the libraries as errors. What the driver or the device lacks is an environment error with what to
// try; a wrong argument or an illegal address is Strata's own mistake.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <source_location>
#include <string_view>

namespace strata::cuda {

// `what`: the call, "cudaMemcpyAsync of 64 bytes".
[[noreturn]] void fail_for(cudaError_t code, std::string_view what, std::source_location where);
[[noreturn]] void fail_for(cublasStatus_t code, std::string_view what, std::source_location where);
[[noreturn]] void fail_for(cudnnStatus_t code, std::string_view what, std::source_location where);

inline void check(cudaError_t code, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (code != cudaSuccess) [[unlikely]]
    fail_for(code, what, where);
}
inline void check(cublasStatus_t code, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (code != CUBLAS_STATUS_SUCCESS) [[unlikely]]
    fail_for(code, what, where);
}
inline void check(cudnnStatus_t code, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (code != CUDNN_STATUS_SUCCESS) [[unlikely]]
    fail_for(code, what, where);
}

// After a kernel launch: a launch that could not be made. What goes wrong while it runs is found by the next call that
// waits.
inline void check_launch(std::string_view kernel, std::source_location where = std::source_location::current()) {
  check(cudaGetLastError(), kernel, where);
}

}  // namespace strata::cuda
