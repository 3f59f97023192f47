// SPDX-License-Identifier: Apache-2.0
//
// Runs the kernels of src/backends/cuda on the host, so that their arithmetic and their indexes are judged on machines
// without a device: conformance_cuda_emulated. Every thread of a block is a fiber; a barrier or a warp exchange lets
// the others go on, and threads that wait for each other for ever are an error. Blocks run one after the other, so
// races between blocks, memory order and speed are not seen here. Included by launch.cuh; what a kernel may say beyond
// C++ is below.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#undef __shared__
#define __shared__ static  // a block at a time, on one host thread
#undef __launch_bounds__
#define __launch_bounds__(...)

namespace strata::cuda::emulation {

struct Place {
  uint3 thread, block;
  dim3 threads, blocks;
};
const Place& place();
unsigned char* shared_bytes();

void run(unsigned blocks, unsigned rows, unsigned threads, std::size_t shared, const std::function<void()>& body);

void barrier();
void warp_barrier(unsigned mask);
std::uint64_t exchange(unsigned mask, std::uint64_t bits, unsigned from_lane);
unsigned lane();

template <class T>
T shuffled(unsigned mask, T value, unsigned from_lane) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, from_lane);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace strata::cuda::emulation

#define threadIdx (::strata::cuda::emulation::place().thread)
#define blockIdx (::strata::cuda::emulation::place().block)
#define blockDim (::strata::cuda::emulation::place().threads)
#define gridDim (::strata::cuda::emulation::place().blocks)
inline constexpr int warpSize = 32;

inline void __syncthreads() { strata::cuda::emulation::barrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { strata::cuda::emulation::warp_barrier(mask); }
inline void __threadfence() {}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return strata::cuda::emulation::shuffled(mask, value, strata::cuda::emulation::lane() ^ static_cast<unsigned>(lanes));
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by) {
  const unsigned from = strata::cuda::emulation::lane() + by;
  return strata::cuda::emulation::shuffled(mask, value, from < 32 ? from : strata::cuda::emulation::lane());
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by) {
  const unsigned lane = strata::cuda::emulation::lane();
  return strata::cuda::emulation::shuffled(mask, value, lane >= by ? lane - by : lane);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from) {
  return strata::cuda::emulation::shuffled(mask, value, static_cast<unsigned>(from) % 32);
}
template <class T>
T __ldg(const T* at) {
  return *at;
}
template <class T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = before + value;
  return before;
}
template <class T>
T atomicMin(T* at, T value) {
  const T before = *at;
  *at = value < before ? value : before;
  return before;
}
template <class T>
T atomicMax(T* at, T value) {
  const T before = *at;
  *at = before < value ? value : before;
  return before;
}
using std::isfinite, std::isinf, std::isnan;
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
