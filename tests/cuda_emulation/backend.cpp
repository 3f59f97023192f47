// SPDX-License-Identifier: Apache-2.0
// The backend that emulated kernels run on: host memory, the cuda table, and what of the runtime kernels' files call.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstring>

#include "backends/cuda/backend.hpp"
#include "backends/cuda/check.hpp"
#include "backends/cuda/cuda.hpp"
#include "backends/cuda/cudnn_attention.hpp"
#include "backends/cuda/product_choices.hpp"
#include "backends/cuda/register.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/host_backend.hpp"
#include "tests/conformance/backends.hpp"

extern "C" {
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
}

namespace strata {
namespace cuda {

cudaStream_t stream_of(const Context&) { return nullptr; }
ProductTools product_tools(const Context&) {
  static ProductChoices choices;
  return {nullptr, choices};
}
Faults* faults_of(const Context&) {
  static Faults faults = no_faults();
  return &faults;
}
// Of a Hopper with room for the scores of few heads: gradients are computed in several runs.
CudnnTools cudnn_tools(const Context& ctx) {
  static AttentionPlans plans(0);
  static std::mutex lock;
  return {nullptr, lock, plans, {9, cudnnGetVersion(), ctx.backend().name() == "cuda emulated", 300'000}};
}
void fail_for(cublasStatus_t code, std::string_view what, std::source_location where) {
  fail(ErrorKind::internal, "emulation", fmt::format("{}: status {}", what, static_cast<int>(code)), "", where);
}
void fail_for(cudnnStatus_t code, std::string_view what, std::source_location where) {
  fail(ErrorKind::internal, "emulation", fmt::format("{}: status {}", what, static_cast<int>(code)), "", where);
}
void fail_for(cudaError_t, std::string_view what, std::source_location where) {
  fail(ErrorKind::internal, "emulation", what, "", where);
}

}  // namespace cuda

namespace conformance {

void add_built_backends(std::deque<TestBackend>& backends) {
  backends.push_back({"cuda emulated", make_host_backend("cuda emulated", HostMemory::returned), make_cuda_table()});
  backends.back().table.set_fallback(&backends.front().table);
  KernelTable inexact("cuda");
  cuda::register_cudnn_attention(inexact);
  backends.push_back(
      {"cuda emulated inexact", make_host_backend("cuda emulated inexact", HostMemory::returned), inexact});
  backends.back().table.set_fallback(&backends[backends.size() - 2].table);
}

}  // namespace conformance
}  // namespace strata
