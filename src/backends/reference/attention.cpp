// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/attention.hpp"

#include <algorithm>
#include <cmath>

#include "backends/reference/offsets.hpp"
#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

// The operands, and how to walk them.
struct Operands {
  Values q, k, v;
  std::vector<std::int64_t> q_offsets, k_offsets;
  std::int64_t tokens, width, head_width;  // Tq, C

  template <class Op>
  Operands(const Op& op, Inputs in)
      : q(load(in[0])),
        k(load(in[1])),
        v(load(in[2])),
        q_offsets(load_offsets(Op::kName, in[3], in[0].dim(0))),
        k_offsets(load_offsets(Op::kName, in[4], in[1].dim(0))),
        tokens(in[0].dim(0)),
        width(in[0].dim(1)),
        head_width(op.head_width) {}

  // Calls f(head, query row, first key row, last key row + 1).
  template <class F>
  void for_each_query(F f) const {
    for (std::int64_t head = 0; head < width / head_width; ++head)
      for (std::size_t s = 0; s + 1 < q_offsets.size(); ++s)
        for (auto i = q_offsets[s]; i < q_offsets[s + 1]; ++i) f(head, i, k_offsets[s], k_offsets[s + 1]);
  }
  // Where a row's part of one head begins.
  std::int64_t place(std::int64_t row, std::int64_t head) const { return row * width + head * head_width; }
  double dot(const Values& a, std::int64_t row_a, const Values& b, std::int64_t row_b, std::int64_t head) const {
    double sum = 0;
    for (std::int64_t c = 0; c < head_width; ++c) sum += a[at(place(row_a, head) + c)] * b[at(place(row_b, head) + c)];
    return sum;
  }
  // to's row += factor · from's row
  void add(Values& to, std::int64_t row_to, double factor, const Values& from, std::int64_t row_from,
           std::int64_t head) const {
    for (std::int64_t c = 0; c < head_width; ++c)
      to[at(place(row_to, head) + c)] += factor * from[at(place(row_from, head) + c)];
  }
};

void attention(const ops::Attention& op, Inputs in, Outputs out, Context&) {
  const Operands x(op, in);
  Values o(x.q.size(), 0.0), lse(at(out[1].numel()), -INFINITY), scores;
  x.for_each_query([&](std::int64_t head, std::int64_t i, std::int64_t first, std::int64_t last) {
    if (first == last) return;
    scores.clear();
    for (auto j = first; j < last; ++j) scores.push_back(op.scale * x.dot(x.q, i, x.k, j, head));
    const double largest = *std::ranges::max_element(scores);
    double sum = 0;
    for (const double score : scores) sum += std::exp(score - largest);
    for (auto j = first; j < last; ++j) x.add(o, i, std::exp(scores[at(j - first)] - largest) / sum, x.v, j, head);
    lse[at(head * x.tokens + i)] = largest + std::log(sum);
  });
  store(out[0], o);
  store(out[1], lse);
}

void attention_backward(const ops::AttentionBackward& op, Inputs in, Outputs out, Context&) {
  const Operands x(op, in);
  const Values o = load(in[5]), lse = load(in[6]), d_o = load(in[7]);
  const Values d_lse = in.size() > 8 && in[8].defined() ? load(in[8]) : Values(lse.size(), 0.0);
  Values dq(x.q.size(), 0.0), dk(x.k.size(), 0.0), dv(x.v.size(), 0.0);
  x.for_each_query([&](std::int64_t head, std::int64_t i, std::int64_t first, std::int64_t last) {
    const auto statistic = at(head * x.tokens + i);
    const double delta = x.dot(d_o, i, o, i, head) - d_lse[statistic];
    for (auto j = first; j < last; ++j) {
      const double p = std::exp(op.scale * x.dot(x.q, i, x.k, j, head) - lse[statistic]);
      const double ds = op.scale * p * (x.dot(d_o, i, x.v, j, head) - delta);
      x.add(dq, i, ds, x.k, j, head);
      x.add(dk, j, ds, x.q, i, head);
      x.add(dv, j, p, d_o, i, head);
    }
  });
  store(out[0], dq);
  store(out[1], dk);
  store(out[2], dv);
}

}  // namespace

void register_attention(KernelTable& table) {
  table.add<ops::Attention>("reference", attention, first_floating);
  table.add<ops::AttentionBackward>("reference", attention_backward, first_floating);
}

}  // namespace strata::reference
