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
// Keys that one call of the backward takes together: with their gradients they fill about half of L2.
constexpr std::int64_t kKeysAProblem = 1024;
// Keys of a segment are dealt to several threads when they are many. Each share of dq needs memory of its own, so there
// are not more than kMostShares. A short segment's is part of the thread's scratch memory.
constexpr std::int64_t kKeysAShare = 2048, kMostShares = 4;
constexpr std::int64_t kShortQueries = 4096;
// Shares of dq that exist at a time: this much memory, or this many shares where they are larger.
constexpr std::int64_t kShareFloats = 16 << 20, kSharesAtATime = 16;
constexpr std::int64_t kFlopsAChunk = 4'000'000;  // about 50 µs, which hides what a chunk costs by itself

// Rows [begin, end) of the queries that see rows [k_begin, k_end).
struct Work {
  std::int64_t q_begin, q_end, k_begin, k_end;
  std::int64_t queries() const { return q_end - q_begin; }
  std::int64_t keys() const { return k_end - k_begin; }
};

Work queries_of(const Work& w, std::int64_t part, std::int64_t parts) {
  return {w.q_begin + w.queries() * part / parts, w.q_begin + w.queries() * (part + 1) / parts, w.k_begin, w.k_end};
}
Work keys_of(const Work& w, std::int64_t part, std::int64_t parts) {
  return {w.q_begin, w.q_end, w.k_begin + w.keys() * part / parts, w.k_begin + w.keys() * (part + 1) / parts};
}

template <class T>
Matrix<T> rows(const Tensor& x) {
  STRATA_CHECK(x.is_row_dense(), internal, "attention", "a tensor is no matrix with a leading dimension");
  return {memory<T>(x), x.row_stride()};
}
template <class T>
Matrix<T> from(const Matrix<T>& m, std::int64_t row, std::int64_t column) {
  return {m.data + row * m.stride + column, m.stride};
}

const AttentionSimd<float>& kernels_of(const Context& ctx, float) { return simd(ctx, attention_f32_simd); }
const AttentionSimd<std::uint16_t>& kernels_of(const Context& ctx, std::uint16_t) {
  return simd(ctx, attention_bf16_simd);
}

// The operands of one head, and where its rows begin.
template <class T>
struct Operands {
  Matrix<const T> q, k, v;
  std::vector<Work> segments;
  std::int64_t tokens, heads, head_width;
  float scale;

  template <class Op>
  Operands(const Op& op, Inputs in)
      : q(rows<const T>(in[0])),
        k(rows<const T>(in[1])),
        v(rows<const T>(in[2])),
        tokens(in[0].dim(0)),
        heads(in[0].dim(1) / op.head_width),
        head_width(op.head_width),
        scale(static_cast<float>(op.scale)) {
    const auto *q_offset = in[3].data<std::int32_t>(), *k_offset = in[4].data<std::int32_t>();
    for (std::int64_t i = 0; i + 1 < in[3].numel(); ++i)
      segments.push_back({q_offset[i], q_offset[i + 1], k_offset[i], k_offset[i + 1]});
  }

  AttentionProblem<T> problem(const Work& w, std::int64_t head) const {
    const auto column = head * head_width;
    return {from(q, w.q_begin, column),
            from(k, w.k_begin, column),
            from(v, w.k_begin, column),
            w.queries(),
            w.keys(),
            head_width,
            scale};
  }
};

// Calls f(work, head, scratch) for all of them, on the backend's threads.
template <class T, class F>
void for_each_head(const Context& ctx, const Operands<T>& x, const std::vector<Work>& work, std::int64_t scratch_floats,
                   const F& f) {
  const auto n = static_cast<std::int64_t>(work.size()) * x.heads;
  if (n == 0) return;
  double flops = 0;
  for (const auto& w : work) flops += 4.0 * static_cast<double>(w.queries() * w.keys() * x.heads * x.head_width);
  const auto chunks = std::max<std::int64_t>(1, static_cast<std::int64_t>(flops / kFlopsAChunk));
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    const Tensor scratch = ctx.empty(DType::f32, {scratch_floats});
    if (cpu_backend(ctx).rehearsal()) return;
    for (auto i = begin; i < end; ++i)
      f(work[static_cast<std::size_t>(i / x.heads)], i % x.heads, scratch.data<float>());
  };
  parallel_for(ctx, n, std::max<std::int64_t>(1, n / chunks), run, Schedule::uneven);
}

template <class T>
void without_keys(Matrix<T> o, float* lse, std::int64_t queries, std::int64_t head_width) {
  for (std::int64_t i = 0; i < queries; ++i) {
    std::fill_n(o.data + i * o.stride, head_width, T{});
    lse[i] = -std::numeric_limits<float>::infinity();
  }
}

template <class T>
void attention(const ops::Attention& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = kernels_of(ctx, T{});
  const Operands<T> x(op, in);
  const auto o = rows<T>(out[0]);
  float* lse = out[1].data<float>();  // [A, Tq]
  std::vector<Work> work;
  for (const auto& segment : x.segments) {
    const auto parts = chunks_of(segment.queries(), kQueriesAProblem);
    for (std::int64_t i = 0; i < parts; ++i) work.push_back(queries_of(segment, i, parts));
  }
  for_each_head(ctx, x, work, kernels.forward_scratch(x.head_width, kQueriesAProblem),
                [&](const Work& w, std::int64_t head, float* scratch) {
                  const auto into = from(o, w.q_begin, head * x.head_width);
                  float* statistics = lse + head * x.tokens + w.q_begin;
                  if (w.keys() == 0)
                    without_keys(into, statistics, w.queries(), x.head_width);
                  else
                    kernels.forward(x.problem(w, head), into, statistics, scratch);
                });
}

// --- backward

// One head of the segments. A segment's keys are cut into shares, and a share into problems, by numbers that depend on
// its keys alone; what a share adds to dq comes problem after problem, and shares are added up in their order. So sums
// have the same order on any number of threads, whatever else is in the batch.
template <class T>
class Backward {
 public:
  Backward(Context& ctx, const ops::AttentionBackward& op, Inputs in, Outputs out)
      : ctx_(ctx),
        kernels_(kernels_of(ctx, T{})),
        x_(op, in),
        o_(rows<const T>(in[5])),
        d_o_(rows<const T>(in[7])),
        lse_(in[6].data<float>()),
        d_lse_(optional_memory<float>(in, 8)),
        dq_(rows<T>(out[0])),
        dk_(rows<T>(out[1])),
        dv_(rows<T>(out[2])) {}

  void run() {
    std::vector<Work> small;
    std::vector<Head> large;
    for (const auto& segment : x_.segments) {
      if (segment.queries() <= kShortQueries && shares_of(segment) == 1)
        small.push_back(segment);
      else
        for (std::int64_t head = 0; head < x_.heads; ++head) large.push_back({segment, head});
    }
    run_small(small);
    for (auto next = large.cbegin(); next != large.cend();) next = run_wave(next, large.cend());
  }

 private:
  struct Head {
    Work segment;
    std::int64_t head;
  };
  struct Share {
    Work work;
    std::int64_t head;
    float* dq;
  };

  static std::int64_t shares_of(const Work& w) {
    return std::clamp<std::int64_t>(chunks_of(w.keys(), kKeysAShare), 1, kMostShares);
  }
  std::int64_t dq_floats(const Work& w) const { return kernels_.dq_floats(x_.head_width, w.queries()); }
  std::int64_t scratch_floats() const { return kernels_.backward_scratch(x_.head_width, kKeysAProblem); }

  void add_share(const Work& share, std::int64_t head, float* dq, float* scratch) const {
    std::fill_n(dq, dq_floats(share), 0.0f);
    const auto column = head * x_.head_width, statistic = head * x_.tokens + share.q_begin;
    const AttentionCotangents<T> cotangents{from(o_, share.q_begin, column), from(d_o_, share.q_begin, column),
                                            lse_ + statistic, d_lse_ == nullptr ? nullptr : d_lse_ + statistic};
    const auto parts = chunks_of(share.keys(), kKeysAProblem);
    for (std::int64_t i = 0; i < parts; ++i) {
      const Work w = keys_of(share, i, parts);
      kernels_.backward(x_.problem(w, head), cotangents, dq, from(dk_, w.k_begin, column), from(dv_, w.k_begin, column),
                        scratch);
    }
  }

  void write(const Work& w, std::int64_t head, const float* dq) const {
    kernels_.write_dq(dq, w.queries(), x_.head_width, x_.scale, from(dq_, w.q_begin, head * x_.head_width));
  }

  // Segments of one share: dq stays with the thread.
  void run_small(const std::vector<Work>& work) const {
    std::int64_t most = 0;
    for (const auto& w : work) most = std::max(most, dq_floats(w));
    for_each_head(ctx_, x_, work, scratch_floats() + most, [&](const Work& w, std::int64_t head, float* scratch) {
      float* dq = scratch + scratch_floats();
      add_share(w, head, dq, scratch);
      write(w, head, dq);
    });
  }

  using Heads = typename std::vector<Head>::const_iterator;

  // Heads from `begin` on, as many as the memory for their shares allows; returns the next.
  Heads run_wave(Heads begin, Heads end) const {
    std::int64_t floats = 0, count = 0;
    Heads last = begin;
    for (; last != end && (count == 0 || fits(*last, floats, count)); ++last) {
      floats += shares_of(last->segment) * dq_floats(last->segment);
      count += shares_of(last->segment);
    }
    const Tensor memory = ctx_.empty(DType::f32, {floats});
    std::vector<Share> shares;
    float* dq = memory.data<float>();
    for (auto head = begin; head != last; ++head) {
      const auto parts = shares_of(head->segment);
      for (std::int64_t i = 0; i < parts; ++i, dq += dq_floats(head->segment))
        shares.push_back({keys_of(head->segment, i, parts), head->head, dq});
    }
    parallel_for(
        ctx_, count, 1, [&](std::int64_t first, std::int64_t) { run_share(shares, first); }, Schedule::uneven);
    sum_shares(begin, last, memory.data<float>());
    return last;
  }

  bool fits(const Head& head, std::int64_t floats, std::int64_t count) const {
    const auto shares = shares_of(head.segment);
    return floats + shares * dq_floats(head.segment) <= kShareFloats || count + shares <= kSharesAtATime;
  }

  void run_share(const std::vector<Share>& shares, std::int64_t i) const {
    const auto& share = shares[static_cast<std::size_t>(i)];
    const Tensor scratch = ctx_.empty(DType::f32, {scratch_floats()});
    if (cpu_backend(ctx_).rehearsal()) return;
    add_share(share.work, share.head, share.dq, scratch.data<float>());
  }

  void sum_shares(Heads begin, Heads end, float* first) const {
    std::vector<Share> heads;
    for (auto head = begin; head != end; ++head) {
      heads.push_back({head->segment, head->head, first});
      first += shares_of(head->segment) * dq_floats(head->segment);
    }
    const auto add = simd(ctx_, elementwise_simd).f32.add;
    parallel_for(ctx_, static_cast<std::int64_t>(heads.size()), 1, [&](std::int64_t i, std::int64_t) {
      const auto& [segment, head, dq] = heads[static_cast<std::size_t>(i)];
      const auto floats = dq_floats(segment);
      for (std::int64_t share = 1; share < shares_of(segment); ++share) add(dq, dq + share * floats, dq, floats);
      write(segment, head, dq);
    });
  }

  Context& ctx_;
  const AttentionSimd<T>& kernels_;
  Operands<T> x_;
  Matrix<const T> o_, d_o_;
  const float *lse_, *d_lse_;
  Matrix<T> dq_, dk_, dv_;
};

template <class T>
void attention_backward(const ops::AttentionBackward& op, Inputs in, Outputs out, Context& ctx) {
  Backward<T>(ctx, op, in, out).run();
}

}  // namespace

void add_attention(KernelTable& table) {
  table.add<ops::Attention>("vector f32", attention<float>, serves::f32);
  table.add<ops::Attention>("vector bf16", attention<std::uint16_t>, serves::first_is<DType::bf16>);
  table.add<ops::AttentionBackward>("vector f32", attention_backward<float>, serves::f32);
  table.add<ops::AttentionBackward>("vector bf16", attention_backward<std::uint16_t>, serves::first_is<DType::bf16>);
}

}  // namespace strata::cpu
