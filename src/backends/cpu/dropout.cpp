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

void dropout(const ops::Dropout& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, dropout_simd);
  const auto offsets = load_offsets(op.kName, in[2], in[0].dim(0));
  const std::int64_t* keys = in[1].data<std::int64_t>();
  const std::int64_t width = in[0].dim(1);
  const float* x = memory<float>(in[0]);
  float* y = memory<float>(out[0]);
  const auto factor = static_cast<float>(1 / (1 - op.rate));
  const auto key = op.key.words();
  parallel_for(ctx, in[0].dim(0), rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for_each_segment(offsets, begin, end, [&](std::int64_t i, std::int64_t first, std::int64_t row, std::int64_t last) {
      const auto counter = counter_of(keys, i, op.layer).words();
      kernels.apply({{key[0], key[1]}, {counter[1], counter[2], counter[3]}},
                    static_cast<std::uint64_t>((row - first) * width), x + row * width, y + row * width,
                    (last - row) * width, static_cast<float>(op.rate), factor);
    });
  });
}

void drop_path_factors(const ops::DropPathFactors& op, Inputs in, Outputs out, Context&) {
  const std::int64_t* keys = in[0].data<std::int64_t>();
  float* factors = memory<float>(out[0]);
  for (std::int64_t i = 0; i < in[0].dim(0); ++i) {
    const float draw = uniform_float(random_word(op.key, counter_of(keys, i, op.layer), 0));
    factors[i] = draw >= static_cast<float>(op.rate) ? static_cast<float>(1 / (1 - op.rate)) : 0.0f;
  }
}

bool factors_f32(const ops::DropPathFactors& op, Specs) { return op.to == DType::f32; }

void scale_segments(const ops::ScaleSegments& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const auto offsets = load_offsets(op.kName, in[2], in[0].dim(0));
  const std::int64_t width = in[0].dim(1);
  const float *x = memory<float>(in[0]), *factor = memory<float>(in[1]);
  float* y = memory<float>(out[0]);
  parallel_for(ctx, in[0].dim(0), rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for_each_segment(offsets, begin, end, [&](std::int64_t i, std::int64_t, std::int64_t row, std::int64_t last) {
      kernels.f32.scale(x + row * width, factor[i], y + row * width, (last - row) * width);
    });
  });
}

bool both_f32(const ops::ScaleSegments&, Specs inputs) {
  return inputs[0].dtype == DType::f32 && inputs[1].dtype == DType::f32;
}

}  // namespace

void add_dropout(KernelTable& table) {
  table.add<ops::Dropout>("vector f32", dropout, serves::f32);
  table.add<ops::DropPathFactors>("plain", drop_path_factors, factors_f32);
  table.add<ops::ScaleSegments>("vector f32", scale_segments, both_f32);
}

}  // namespace strata::cpu
