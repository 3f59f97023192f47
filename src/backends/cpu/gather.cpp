// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gather.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

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

// Positions of an index by the row they name, in their order: row r's are order[first[r]] to order[first[r + 1]].
struct ByRow {
  std::vector<std::size_t> first, order;

  ByRow(const std::vector<std::int64_t>& index, std::int64_t rows)
      : first(static_cast<std::size_t>(rows) + 1), order(index.size()) {
    for (const auto row : index) ++first[static_cast<std::size_t>(row) + 1];
    std::partial_sum(first.begin(), first.end(), first.begin());
    std::vector<std::size_t> next(first.begin(), first.end() - 1);
    for (std::size_t i = 0; i < index.size(); ++i) order[next[static_cast<std::size_t>(index[i])]++] = i;
  }
};

// Every sum runs over the index in its order, in float.
template <class T>
void scatter_add_rows(const ops::ScatterAddRows& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const ByRow sources(load_index(op.kName, in[1], op.rows), op.rows);
  const std::int64_t width = in[0].dim(1);
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  parallel_for(ctx, op.rows, rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sum(static_cast<std::size_t>(width));
    for (std::int64_t row = begin; row < end; ++row) {
      const auto first = sources.first[static_cast<std::size_t>(row)],
                 last = sources.first[static_cast<std::size_t>(row) + 1];
      std::ranges::fill(sum, 0.0f);
      for (auto i = first; i < last; ++i) {
        const T* from = x + static_cast<std::int64_t>(sources.order[i]) * width;
        if constexpr (sizeof(T) == 4)
          kernels.f32.add(sum.data(), from, sum.data(), width);
        else
          kernels.add_narrow(sum.data(), from, sum.data(), width);
      }
      if constexpr (sizeof(T) == 4)
        std::ranges::copy(sum, y + row * width);
      else
        kernels.narrow(sum.data(), y + row * width, width);
    }
  });
}

template <class T, class Table>
void add_table_rows(const ops::AddRows& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const auto index = load_index(op.kName, in[2], in[1].dim(0));
  const std::int64_t width = in[0].dim(1);
  const T* x = memory<T>(in[0]);
  const Table* table = memory<Table>(in[1]);
  T* y = memory<T>(out[0]);
  parallel_for(ctx, std::ssize(index), rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const Table* from = table + index[static_cast<std::size_t>(row)] * width;
      if constexpr (sizeof(T) == sizeof(Table))
        arithmetic<T>(kernels).add(x + row * width, from, y + row * width, width);
      else if constexpr (sizeof(T) == 4)
        kernels.add_narrow(x + row * width, from, y + row * width, width);
      else
        kernels.add_wide(x + row * width, from, y + row * width, width);
    }
  });
}

template <DType T, DType Table>
bool serves_add(const ops::AddRows&, Specs inputs) {
  return inputs[0].dtype == T && inputs[1].dtype == Table;
}

}  // namespace

void add_gather(KernelTable& table) {
  using Half = std::uint16_t;
  table.add<ops::GatherRows>("memory", gather_rows, serves::anything);
  add_rows<ops::ScatterAddRows>(table, scatter_add_rows<float>, scatter_add_rows<Half>);
  table.add<ops::AddRows>("vector f32", add_table_rows<float, float>, serves_add<DType::f32, DType::f32>);
  table.add<ops::AddRows>("vector bf16", add_table_rows<Half, Half>, serves_add<DType::bf16, DType::bf16>);
  table.add<ops::AddRows>("vector f32 + bf16", add_table_rows<float, Half>, serves_add<DType::f32, DType::bf16>);
  table.add<ops::AddRows>("vector bf16 + f32", add_table_rows<Half, float>, serves_add<DType::bf16, DType::f32>);
}

}  // namespace strata::cpu
