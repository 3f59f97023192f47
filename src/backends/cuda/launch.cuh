// SPDX-License-Identifier: Apache-2.0
//
// How kernels of this folder are started and find their place. Kernels say no <<<>>> and no extern shared arrays, so
// that tests can run them on a machine without a device (tests/cuda_emulation).
#pragma once

#include "backends/cuda/backend.hpp"
#include "backends/cuda/check.hpp"
#include "backends/cuda/launch.hpp"

namespace strata::cuda {

// `name`: for the error of a launch that could not be made.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Launch& shape, const Context& ctx,
            Arguments&&... arguments) {
#ifdef STRATA_CUDA_EMULATION
  (void)name;
  (void)ctx;
  emulation::run(shape.blocks, shape.rows, shape.threads, shape.shared,
                 [&] { kernel(static_cast<Parameters>(arguments)...); });
#else
  const cudaStream_t stream = stream_of(ctx);
  kernel<<<dim3(shape.blocks, shape.rows), shape.threads, shape.shared, stream>>>(
      static_cast<Parameters>(arguments)...);
  check_launch(name);
#endif
}

// The block's dynamic shared memory, on 16 bytes.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef STRATA_CUDA_EMULATION
  return reinterpret_cast<T*>(emulation::shared_bytes());
#else
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
#endif
}

// Loops over items, a thread each: for (i = first_item(); i < n; i += all_items()).
__device__ __forceinline__ std::int64_t first_item() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t all_items() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

}  // namespace strata::cuda
