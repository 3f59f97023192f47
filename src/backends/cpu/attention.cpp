// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/attention.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/attention.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"
#include "strata/base/error.hpp"

namespace strata::cpu {
namespace {

// Queries of a segment that one thread takes together. Copying keys and values takes about 35 / queries of the time:
// measured, with 1177 keys.
constexpr std::int64_t kQueriesAProblem = 640;
// Keys of a segment that one thread takes together in backward: with their gradients they fill about half of L2. Each
// part but the first of a segment needs memory for its share of dq, so there are not more than kMostKeyParts.
constexpr std::int64_t kKeysAProblem = 1024;
constexpr std::int64_t kMostKeyParts = 4;
constexpr std::int64_t kFlopsAChunk = 4'000'000;  // about 50 µs, which hides what a chunk costs by itself

// Rows [begin, end) of the queries that see rows [k_begin, k_end).
struct Work {
  std::int64_t q_begin, q_end, k_begin, k_end;
  float* dq = nullptr;  // backward: where this part's share goes, if not into the result
};

std::vector<std::int64_t> offsets_of(const Tensor& offsets) {
  const auto* first = offsets.data<std::int32_t>();
  return {first, first + offsets.numel()};
}

ConstMatrix rows(const Tensor& x) {
  STRATA_CHECK(x.is_row_dense(), internal, "attention", "a tensor is no matrix with a leading dimension");
  return {x.data<float>(), x.row_stride()};
}
Matrix rows_into(const Tensor& x) {
  const auto from = rows(x);
  return {const_cast<float*>(from.data), from.stride};
}
ConstMatrix from(const ConstMatrix& m, std::int64_t row, std::int64_t column) {
  return {m.data + row * m.stride + column, m.stride};
}
Matrix from(const Matrix& m, std::int64_t row, std::int64_t column) {
  return {m.data + row * m.stride + column, m.stride};
}

// Calls f(work, head, scratch) for all of them, on the backend's threads.
template <class F>
void for_each_head(const Context& ctx, const std::vector<Work>& work, std::int64_t heads, std::int64_t head_width,
                   std::int64_t scratch_floats, const F& f) {
  const auto n = static_cast<std::int64_t>(work.size()) * heads;
  if (n == 0) return;
  double flops = 0;
  for (const auto& w : work)
    flops += 4.0 * static_cast<double>((w.q_end - w.q_begin) * (w.k_end - w.k_begin) * heads * head_width);
  const auto chunks = std::max<std::int64_t>(1, static_cast<std::int64_t>(flops / kFlopsAChunk));
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    const Tensor scratch = ctx.empty(DType::f32, {scratch_floats});
    for (auto i = begin; i < end; ++i) f(work[static_cast<std::size_t>(i / heads)], i % heads, scratch.data<float>());
  };
  parallel_for(ctx, n, std::max<std::int64_t>(1, n / chunks), run, Schedule::uneven);
}

// The operands of one head, and where its rows begin.
struct Operands {
  ConstMatrix q, k, v;
  std::vector<std::int64_t> q_offsets, k_offsets;
  std::int64_t tokens, heads, head_width;
  float scale;

  template <class Op>
  Operands(const Op& op, Inputs in)
      : q(rows(in[0])),
        k(rows(in[1])),
        v(rows(in[2])),
        q_offsets(offsets_of(in[3])),
        k_offsets(offsets_of(in[4])),
        tokens(in[0].dim(0)),
        heads(in[0].dim(1) / op.head_width),
        head_width(op.head_width),
        scale(static_cast<float>(op.scale)) {}

  AttentionProblem problem(const Work& w, std::int64_t head) const {
    const auto column = head * head_width;
    return {from(q, w.q_begin, column),
            from(k, w.k_begin, column),
            from(v, w.k_begin, column),
            w.q_end - w.q_begin,
            w.k_end - w.k_begin,
            head_width,
            scale};
  }
};

std::vector<Work> forward_work(const Operands& x) {
  std::vector<Work> work;
  for (std::size_t s = 0; s + 1 < x.q_offsets.size(); ++s) {
    const auto queries = x.q_offsets[s + 1] - x.q_offsets[s];
    const auto parts = chunks_of(queries, kQueriesAProblem);
    for (std::int64_t i = 0; i < parts; ++i)
      work.push_back({x.q_offsets[s] + queries * i / parts, x.q_offsets[s] + queries * (i + 1) / parts, x.k_offsets[s],
                      x.k_offsets[s + 1]});
  }
  return work;
}

void without_keys(Matrix o, float* lse, std::int64_t queries, std::int64_t head_width) {
  for (std::int64_t i = 0; i < queries; ++i) {
    std::fill_n(o.data + i * o.stride, head_width, 0.0f);
    lse[i] = -std::numeric_limits<float>::infinity();
  }
}

void attention(const ops::Attention& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, attention_simd);
  const Operands x(op, in);
  const Matrix o = rows_into(out[0]);
  float* lse = out[1].data<float>();  // [A, Tq]
  const auto scratch_floats = kernels.forward_scratch(x.head_width, kQueriesAProblem);
  for_each_head(ctx, forward_work(x), x.heads, x.head_width, scratch_floats,
                [&](const Work& w, std::int64_t head, float* scratch) {
                  const auto problem = x.problem(w, head);
                  const Matrix into = from(o, w.q_begin, head * x.head_width);
                  float* statistics = lse + head * x.tokens + w.q_begin;
                  if (problem.keys == 0)
                    without_keys(into, statistics, problem.queries, x.head_width);
                  else
                    kernels.forward(problem, into, statistics, scratch);
                });
}

// --- backward

// The number of parts depends on the keys alone, and so do all sums.
std::int64_t key_parts(std::int64_t keys) {
  return std::clamp<std::int64_t>(chunks_of(keys, kKeysAProblem), 1, kMostKeyParts);
}

// Shares of dq, [queries, C] one behind the other, of all parts but the first of each segment.
std::int64_t share_rows(const Operands& x) {
  std::int64_t count = 0;
  for (std::size_t s = 0; s + 1 < x.q_offsets.size(); ++s)
    count += (key_parts(x.k_offsets[s + 1] - x.k_offsets[s]) - 1) * (x.q_offsets[s + 1] - x.q_offsets[s]);
  return count;
}

std::vector<Work> backward_work(const Operands& x, float* shares) {
  std::vector<Work> work;
  for (std::size_t s = 0; s + 1 < x.q_offsets.size(); ++s) {
    const auto begin = x.k_offsets[s], keys = x.k_offsets[s + 1] - begin, parts = key_parts(keys);
    const auto q_begin = x.q_offsets[s], q_end = x.q_offsets[s + 1];
    for (std::int64_t i = 0; i < parts; ++i) {
      work.push_back(
          {q_begin, q_end, begin + keys * i / parts, begin + keys * (i + 1) / parts, i == 0 ? nullptr : shares});
      if (i > 0) shares += (q_end - q_begin) * x.heads * x.head_width;
    }
  }
  return work;
}

// dq += the shares of the other parts, part after part.
void add_shares(const Context& ctx, const std::vector<Work>& work, Matrix dq, std::int64_t width) {
  const auto add = arithmetic<float>(simd(ctx, elementwise_simd)).add;
  for (const auto& w : work) {
    if (w.dq == nullptr) continue;
    parallel_for(ctx, w.q_end - w.q_begin, rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        float* row = dq.data + (w.q_begin + i) * dq.stride;
        add(row, w.dq + i * width, row, width);
      }
    });
  }
}

void attention_backward(const ops::AttentionBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, attention_simd);
  const Operands x(op, in);
  const ConstMatrix o = rows(in[5]), d_o = rows(in[7]);
  const float* lse = in[6].data<float>();
  const float* d_lse = in.size() > 8 && in[8].defined() ? in[8].data<float>() : nullptr;
  const Matrix dq = rows_into(out[0]), dk = rows_into(out[1]), dv = rows_into(out[2]);
  const auto width = x.heads * x.head_width;
  const Tensor shares = ctx.empty(DType::f32, {share_rows(x) * width});
  const auto work = backward_work(x, shares.data<float>());
  std::int64_t most_keys = 0;
  for (const auto& w : work) most_keys = std::max(most_keys, w.k_end - w.k_begin);

  const auto scratch_floats = kernels.backward_scratch(x.head_width, most_keys);
  for_each_head(ctx, work, x.heads, x.head_width, scratch_floats,
                [&](const Work& w, std::int64_t head, float* scratch) {
                  const auto column = head * x.head_width, statistic = head * x.tokens + w.q_begin;
                  const AttentionCotangents cotangents{from(o, w.q_begin, column), from(d_o, w.q_begin, column),
                                                       lse + statistic, d_lse == nullptr ? nullptr : d_lse + statistic};
                  const Matrix share = w.dq == nullptr ? from(dq, w.q_begin, column) : Matrix{w.dq + column, width};
                  kernels.backward(x.problem(w, head), cotangents, share, from(dk, w.k_begin, column),
                                   from(dv, w.k_begin, column), scratch);
                });
  add_shares(ctx, work, dq, width);
}

}  // namespace

void add_attention(KernelTable& table) {
  table.add<ops::Attention>("vector f32", attention, serves::f32);
  table.add<ops::AttentionBackward>("vector f32", attention_backward, serves::f32);
}

}  // namespace strata::cpu
