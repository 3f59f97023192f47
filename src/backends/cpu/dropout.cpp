// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/dropout.hpp"

#include <algorithm>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/index.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/dropout.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

// Where the numbers of segment i stand in the stream. keys: [n, 2] = (sample ordinal, part).
RandomCounter counter_of(const std::int64_t* keys, std::int64_t i, std::uint32_t layer) {
  return {.ordinal = static_cast<std::uint64_t>(keys[2 * i]),
          .layer = layer,
          .part = static_cast<std::uint32_t>(keys[2 * i + 1])};
}

// Calls f(segment, its first row, begin, end) for the rows of [begin, end) that lie in each segment.
template <class F>
void for_each_segment(const std::vector<std::int64_t>& offsets, std::int64_t begin, std::int64_t end, F f) {
  auto segment = std::ranges::upper_bound(offsets, begin) - offsets.begin() - 1;
  while (begin < end) {
    const std::int64_t first = offsets[static_cast<std::size_t>(segment)];
    const std::int64_t last = std::min(end, offsets[static_cast<std::size_t>(segment) + 1]);
    if (begin < last) f(segment, first, begin, last);
    begin = std::max(begin, last);
    ++segment;
  }
}

template <class T>
DropoutKernel<T> kernel_of(const DropoutSimd& kernels) {
  if constexpr (sizeof(T) == 4)
    return kernels.f32;
  else
    return kernels.bf16;
}

template <class T>
void dropout(const ops::Dropout& op, Inputs in, Outputs out, Context& ctx) {
  const auto apply = kernel_of<T>(simd(ctx, dropout_simd));
  const auto offsets = load_offsets(op.kName, in[2], in[0].dim(0));
  const std::int64_t* keys = in[1].data<std::int64_t>();
  const std::int64_t width = in[0].dim(1);
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  const auto factor = static_cast<float>(1 / (1 - op.rate));
  const auto key = op.key.words();
  parallel_for(ctx, in[0].dim(0), rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for_each_segment(offsets, begin, end, [&](std::int64_t i, std::int64_t first, std::int64_t row, std::int64_t last) {
      const auto counter = counter_of(keys, i, op.layer).words();
      apply({{key[0], key[1]}, {counter[1], counter[2], counter[3]}}, static_cast<std::uint64_t>((row - first) * width),
            x + row * width, y + row * width, (last - row) * width, static_cast<float>(op.rate), factor);
    });
  });
}

void drop_path_factors(const ops::DropPathFactors& op, Inputs in, Outputs out, Context&) {
  const std::int64_t* keys = in[0].data<std::int64_t>();
  for (std::int64_t i = 0; i < in[0].dim(0); ++i) {
    const float draw = uniform_float(random_word(op.key, counter_of(keys, i, op.layer), 0));
    put(out[0], i, draw >= static_cast<float>(op.rate) ? 1 / (1 - op.rate) : 0);
  }
}

bool serves_factors(const ops::DropPathFactors& op, Specs) { return op.to != DType::f64; }

template <class T>
void scale_segments(const ops::ScaleSegments& op, Inputs in, Outputs out, Context& ctx) {
  const auto scale = arithmetic<T>(simd(ctx, elementwise_simd)).scale;
  const auto offsets = load_offsets(op.kName, in[2], in[0].dim(0));
  const std::int64_t width = in[0].dim(1);
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  const Tensor& factors = in[1];
  const auto factor_of = [&](std::int64_t i) {
    return factors.dtype() == DType::f32 ? factors.data<float>()[i] : static_cast<float>(factors.data<BFloat16>()[i]);
  };
  parallel_for(ctx, in[0].dim(0), rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for_each_segment(offsets, begin, end, [&](std::int64_t i, std::int64_t, std::int64_t row, std::int64_t last) {
      scale(x + row * width, factor_of(i), y + row * width, (last - row) * width);
    });
  });
}

template <DType T>
bool serves_scale(const ops::ScaleSegments&, Specs inputs) {
  return inputs[0].dtype == T && inputs[1].dtype != DType::f64;
}

}  // namespace

void add_dropout(KernelTable& table) {
  add_rows<ops::Dropout>(table, dropout<float>, dropout<std::uint16_t>);
  table.add<ops::DropPathFactors>("plain", drop_path_factors, serves_factors);
  table.add<ops::ScaleSegments>("vector f32", scale_segments<float>, serves_scale<DType::f32>);
  table.add<ops::ScaleSegments>("vector bf16", scale_segments<std::uint16_t>, serves_scale<DType::bf16>);
}

}  // namespace strata::cpu
