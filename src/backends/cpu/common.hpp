// SPDX-License-Identifier: Apache-2.0
//
// Small things that the op files of this backend share.
#pragma once

#include <cstdint>

#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/simd/softmax.hpp"
#include "backends/cpu/simd/sums.hpp"
#include "strata/runtime/kernel_table.hpp"
#include "strata/tensor/tensor.hpp"

namespace strata::cpu {

inline constexpr std::int64_t kChunk = 16384;  // elements a chunk of elementwise work: 64 KiB of float

// Typed memory; bf16 is seen as its bits.
template <class T>
T* memory(const Tensor& tensor) {
  return static_cast<T*>(tensor.raw());
}

// Null where an optional input was not given.
template <class T>
const T* optional_memory(Inputs in, std::size_t i) {
  return i < in.size() && in[i].defined() ? memory<const T>(in[i]) : nullptr;
}

// Predicate: every input that is there has this type.
template <DType T, class Op>
bool all_are(const Op&, Specs inputs) {
  for (const auto& input : inputs)
    if (input.defined && input.dtype != T) return false;
  return !inputs.empty();
}

// The last axis as columns; a scalar is one row of one.
struct Rows {
  std::int64_t count = 0;
  std::int64_t width = 0;
};
inline Rows rows_of(const Shape& shape) {
  const std::int64_t width = shape.ndim() == 0 ? 1 : shape[-1];
  return {width == 0 ? 0 : shape.numel() / width, width};
}

// The kernels of an element type.
template <class T>
const ArithmeticSimd<T>& arithmetic(const ElementwiseSimd& kernels) {
  if constexpr (sizeof(T) == 4)
    return kernels.f32;
  else
    return kernels.bf16;
}

template <class T>
const SumsOf<T>& sums_of(const SumsSimd& kernels) {
  if constexpr (sizeof(T) == 4)
    return kernels.f32;
  else
    return kernels.bf16;
}

template <class T>
const SoftmaxOf<T>& softmax_of(const SoftmaxSimd& kernels) {
  if constexpr (sizeof(T) == 4)
    return kernels.f32;
  else
    return kernels.bf16;
}

// Element i of a tensor of f32 or bf16.
inline void put(const Tensor& y, std::int64_t i, double value) {
  if (y.dtype() == DType::f32)
    memory<float>(y)[i] = static_cast<float>(value);
  else
    memory<std::uint16_t>(y)[i] = BFloat16(static_cast<float>(value)).bits;
}

// Adds the same kernel for f32 and for bf16.
template <class Op>
void add_both(KernelTable& table, Kernel<Op> f32, Kernel<Op> bf16) {
  table.add<Op>("vector f32", f32, all_are<DType::f32>);
  table.add<Op>("vector bf16", bf16, all_are<DType::bf16>);
}

// The same, for ops whose first input alone is floating.
template <class Op>
void add_rows(KernelTable& table, Kernel<Op> f32, Kernel<Op> bf16) {
  table.add<Op>("vector f32", f32, serves::first_is<DType::f32>);
  table.add<Op>("vector bf16", bf16, serves::first_is<DType::bf16>);
}

}  // namespace strata::cpu
