// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gather.hpp"

#include <cstring>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/index.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

void gather_rows(const ops::GatherRows& op, Inputs in, Outputs out, Context& ctx) {
  const auto index = load_index(op.kName, in[1], in[0].dim(0));
  const std::size_t bytes = static_cast<std::size_t>(in[0].dim(1)) * size_of(in[0].dtype());
  const auto* from = memory<const std::byte>(in[0]);
  auto* to = memory<std::byte>(out[0]);
  parallel_for(ctx, std::ssize(index), rows_a_chunk(in[0].dim(1)), [&](std::int64_t begin, std::int64_t end) {
    for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row)
      std::memcpy(to + row * bytes, from + static_cast<std::size_t>(index[row]) * bytes, bytes);
  });
}

// Threads share out the columns, so every sum runs over the index in its order.
void scatter_add_rows(const ops::ScatterAddRows& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const auto index = load_index(op.kName, in[1], op.rows);
  const std::int64_t width = in[0].dim(1);
  const float* x = memory<float>(in[0]);
  float* y = memory<float>(out[0]);
  parallel_for(ctx, width, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = 0; row < op.rows; ++row) kernels.fill(y + row * width + begin, 0.0f, end - begin);
    for (std::size_t i = 0; i < index.size(); ++i) {
      float* to = y + index[i] * width + begin;
      kernels.f32.add(to, x + static_cast<std::int64_t>(i) * width + begin, to, end - begin);
    }
  });
}

void add_table_rows(const ops::AddRows& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const auto index = load_index(op.kName, in[2], in[1].dim(0));
  const std::int64_t width = in[0].dim(1);
  const float *x = memory<float>(in[0]), *table = memory<float>(in[1]);
  float* y = memory<float>(out[0]);
  parallel_for(ctx, std::ssize(index), rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      kernels.f32.add(x + row * width, table + index[static_cast<std::size_t>(row)] * width, y + row * width, width);
  });
}

bool both_f32(const ops::AddRows&, Specs inputs) {
  return inputs[0].dtype == DType::f32 && inputs[1].dtype == DType::f32;
}

}  // namespace

void add_gather(KernelTable& table) {
  table.add<ops::GatherRows>("memory", gather_rows, serves::anything);
  table.add<ops::ScatterAddRows>("vector f32", scatter_add_rows, serves::f32);
  table.add<ops::AddRows>("vector f32", add_table_rows, both_f32);
}

}  // namespace strata::cpu
