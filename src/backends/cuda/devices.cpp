// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/devices.hpp"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "backends/cuda/check.hpp"
#include "strata/base/error.hpp"

namespace strata {
namespace cuda {

int local_rank(const std::function<const char*(const char*)>& environment) {
  constexpr std::array kNames{"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID",
                              "MV2_COMM_WORLD_LOCAL_RANK"};
  for (const char* name : kNames) {
    const char* text = environment(name);
    if (text == nullptr) continue;
    int rank = 0;
    const auto [end, code] = std::from_chars(text, text + std::strlen(text), rank);
    if (code == std::errc() && *end == '\0' && rank >= 0) return rank;
  }
  return 0;
}

int choose_device(int wanted, const CudaDevices& found) {
  const auto count = static_cast<int>(found.devices.size());
  STRATA_CHECK(count > 0, environment, "cuda", fmt::format("there is no device: {}", found.why_none),
               "nvidia-smi lists what the driver sees; backend=cpu works without");
  if (wanted < 0) return local_rank([](const char* name) { return std::getenv(name); }) % count;
  STRATA_CHECK(wanted < count, environment, "cuda",
               fmt::format("there is no device {}: there are {}, from 0", wanted, count), "strata info lists them");
  return wanted;
}

}  // namespace cuda

CudaDevices cuda_devices() {
  CudaDevices found;
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    cudaGetLastError();
    found.why_none = code == cudaSuccess ? "no device is visible" : cudaGetErrorString(code);
    return found;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    cuda::check(cudaGetDeviceProperties(&properties, i), fmt::format("cudaGetDeviceProperties of device {}", i));
    found.devices.push_back({i, properties.name, properties.major, properties.minor, properties.multiProcessorCount,
                             static_cast<std::int64_t>(properties.totalGlobalMem)});
  }
  return found;
}

std::string cuda_libraries() {
  int runtime = 0, driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  const auto two = [](int version) {
    return version == 0 ? std::string("none") : fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  };
  const auto cublas = cublasLtGetVersion(), cudnn = cudnnGetVersion();
  return fmt::format("runtime {}, driver {}, cuBLASLt {}.{}.{}, cuDNN {}.{}.{}", two(runtime), two(driver),
                     cublas / 10000, cublas / 100 % 100, cublas % 100, cudnn / 10000, cudnn / 100 % 100, cudnn % 100);
}

}  // namespace strata
