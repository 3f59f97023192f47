// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/check.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"

namespace strata::cuda {
namespace {

struct Judgement {
  ErrorKind kind;
  std::string_view hint;
};

Judgement judge(cudaError_t code) {
  switch (code) {
    case cudaErrorInsufficientDriver:
      return {ErrorKind::environment,
              "there is no driver, or it is older than the CUDA this was built with: nvidia-smi "
              "says which it is; --backend cpu works without"};
    case cudaErrorNoDevice:
      return {ErrorKind::environment,
              "is there a GPU (nvidia-smi), and does CUDA_VISIBLE_DEVICES or the job's allocation show it?"};
    case cudaErrorInvalidDevice: return {ErrorKind::environment, "strata info lists the devices there are"};
    case cudaErrorMemoryAllocation:
      return {ErrorKind::environment, "use a smaller batch, activation checkpointing, or more ranks"};
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return {ErrorKind::environment,
              "build for this device: -DCMAKE_CUDA_ARCHITECTURES=... (strata info says which it is)"};
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorSystemNotReady:
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError: return {ErrorKind::environment, "the device is busy or ill: try another one"};
    default: return {ErrorKind::internal, "compute-sanitizer finds the kernel and the address"};
  }
}

}  // namespace

void fail_for(cudaError_t code, std::string_view what, std::source_location where) {
  const Judgement judgement = judge(code);
  fail(judgement.kind, "cuda", fmt::format("{}: {} ({})", what, cudaGetErrorString(code), cudaGetErrorName(code)),
       judgement.hint, where);
}

void fail_for(cublasStatus_t code, std::string_view what, std::source_location where) {
  const bool memory = code == CUBLAS_STATUS_ALLOC_FAILED,
             machine = code == CUBLAS_STATUS_NOT_INITIALIZED || code == CUBLAS_STATUS_ARCH_MISMATCH;
  fail(memory || machine ? ErrorKind::environment : ErrorKind::internal, "cublasLt",
       fmt::format("{}: {}", what, cublasLtGetStatusString(code)),
       memory ? "use a smaller batch, activation checkpointing, or more ranks" : "", where);
}

void fail_for(cudnnStatus_t code, std::string_view what, std::source_location where) {
  std::string detail(512, '\0');
  cudnnGetLastErrorString(detail.data(), detail.size());
  detail.resize(detail.find('\0') == std::string::npos ? detail.size() : detail.find('\0'));
  const bool machine = code == CUDNN_STATUS_NOT_INITIALIZED || code == CUDNN_STATUS_ALLOC_FAILED;
  fail(machine ? ErrorKind::environment : ErrorKind::internal, "cudnn",
       fmt::format("{}: {}{}{}", what, cudnnGetErrorString(code), detail.empty() ? "" : "; ", detail), "", where);
}

}  // namespace strata::cuda
