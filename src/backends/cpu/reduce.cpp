// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/reduce.hpp"

#include <algorithm>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/simd/sums.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

// x [outer, n, inner]
struct Extents {
  std::int64_t outer, n, inner;
};
Extents extents_of(const Shape& shape, int axis, bool everything) {
  if (everything) return {1, shape.numel(), 1};
  return {shape.outer(axis), shape[axis], shape.inner(axis)};
}

// Along the last axis: chunks of a row, added in their order.
template <class T>
void reduce_rows(const T* x, const Tensor& y, const Extents& e, double factor, const Context& ctx) {
  const auto& kernels = sums_of<T>(simd(ctx, sums_simd));
  const std::int64_t chunks = std::max<std::int64_t>(1, chunks_of(e.n, kChunk));
  std::vector<double> parts(static_cast<std::size_t>(e.outer * chunks));
  parallel_for(ctx, e.outer * chunks, rows_a_chunk(std::min(e.n, kChunk)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / chunks, first = i % chunks * kChunk;
      parts[static_cast<std::size_t>(i)] = kernels.sum(x + row * e.n + first, std::min(kChunk, e.n - first));
    }
  });
  for (std::int64_t row = 0; row < e.outer; ++row) {
    double sum = 0;
    for (std::int64_t i = row * chunks; i < (row + 1) * chunks; ++i) sum += parts[static_cast<std::size_t>(i)];
    put(y, row, factor * sum);
  }
}

// Along another axis: columns over chunks of rows, at most 64 chunks, added in their order.
template <class T>
void reduce_columns(const T* x, const Tensor& y, const Extents& e, double factor, const Context& ctx) {
  const auto& kernels = sums_of<T>(simd(ctx, sums_simd));
  const std::int64_t grain = std::max(rows_a_chunk(e.inner), (e.n + 63) / 64),
                     chunks = std::max<std::int64_t>(1, chunks_of(e.n, grain));
  const Tensor parts = ctx.empty(DType::f64, {e.outer * chunks, e.inner});
  double* part = memory<double>(parts);
  parallel_for(ctx, e.outer * chunks, 1, [&](std::int64_t i, std::int64_t) {
    const std::int64_t first = i % chunks * grain;
    double* sums = part + i * e.inner;
    std::fill(sums, sums + e.inner, 0.0);
    kernels.columns(x + (i / chunks * e.n + first) * e.inner, e.inner, std::min(grain, e.n - first), e.inner, sums);
  });
  parallel_for(ctx, e.outer * e.inner, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
        sum += part[(i / e.inner * chunks + chunk) * e.inner + i % e.inner];
      put(y, i, factor * sum);
    }
  });
}

template <class T>
void reduce(const ops::Reduce& op, Inputs in, Outputs out, Context& ctx) {
  const Extents e = extents_of(in[0].shape(), op.axis, op.everything);
  const double factor = op.kind == ops::Reduction::mean ? 1 / static_cast<double>(e.n) : 1;
  if (e.outer == 0 || e.inner == 0) return;
  (e.inner == 1 ? reduce_rows<T> : reduce_columns<T>)(memory<T>(in[0]), out[0], e, factor, ctx);
}

template <class T>
void expand(const ops::Expand& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const Extents e = extents_of(op.shape, op.axis, op.everything);
  const auto alpha = static_cast<float>(op.alpha);
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  if (e.inner == 1) {  // one value a row; rows in pieces, for there may be a single one
    const std::int64_t pieces = std::max<std::int64_t>(1, chunks_of(e.n, kChunk));
    parallel_for(ctx, e.outer * pieces, rows_a_chunk(std::min(e.n, kChunk)), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = i / pieces, first = i % pieces * kChunk;
        T value{};
        arithmetic<T>(kernels).scale(x + row, alpha, &value, 1);
        std::fill_n(y + row * e.n + first, std::min(kChunk, e.n - first), value);
      }
    });
    return;
  }
  parallel_for(ctx, e.outer * e.n, rows_a_chunk(e.inner), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      arithmetic<T>(kernels).scale(x + row / e.n * e.inner, alpha, y + row * e.inner, e.inner);
  });
}

}  // namespace

void column_sums(const Tensor& x, const Tensor& sums, Context& ctx) {
  (x.dtype() == DType::f32 ? reduce<float> : reduce<std::uint16_t>)({.wide = true}, {&x, 1}, {&sums, 1}, ctx);
}

void add_reduce(KernelTable& table) {
  add_both<ops::Reduce>(table, reduce<float>, reduce<std::uint16_t>);
  add_both<ops::Expand>(table, expand<float>, expand<std::uint16_t>);
}

}  // namespace strata::cpu
