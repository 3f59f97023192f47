// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "strata/ops/attention.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Attention;
using ops::AttentionBackward;
using Lengths = std::vector<std::int64_t>;

struct Problem {
  std::string label;
  Lengths queries, keys;  // of each segment
  std::int64_t heads = 2, head_width = 24;
  double deviation = 1;  // of q: large ones make a softmax that is nearly a choice
  View view = View::dense;
  double slack = 1;  // on the tolerances of the backward
};

std::int64_t total(const Lengths& lengths) { return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}); }
std::int64_t longest(const Lengths& lengths) {
  return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
}

Input offsets(const Lengths& lengths) {
  std::vector<std::int64_t> begins{0};
  for (const auto length : lengths) begins.push_back(begins.back() + length);
  return integers(DType::i32, {static_cast<std::int64_t>(begins.size())}, begins);
}

template <class Op>
Op op_of(const Problem& p) {
  return {p.head_width, 1 / std::sqrt(static_cast<double>(p.head_width)), longest(p.queries), longest(p.keys)};
}

std::vector<Input> operands(const Problem& p) {
  const std::int64_t width = p.heads * p.head_width;
  return {normal({total(p.queries), width}, p.deviation).as(p.view), normal({total(p.keys), width}).as(p.view),
          normal({total(p.keys), width}).as(p.view), offsets(p.queries), offsets(p.keys)};
}

double flops(const Problem& p) {  // of the forward
  double pairs = 0;
  for (std::size_t i = 0; i < p.queries.size(); ++i) pairs += static_cast<double>(p.queries[i] * p.keys[i]);
  return 4 * pairs * static_cast<double>(p.heads * p.head_width);
}

double bytes(const Problem& p) {
  return 8.0 * static_cast<double>((total(p.queries) + total(p.keys)) * p.heads * p.head_width);
}

bool every_query_has_keys(const Problem& p) {
  for (std::size_t i = 0; i < p.queries.size(); ++i)
    if (p.queries[i] > 0 && p.keys[i] == 0) return false;
  return true;
}

OpCase forward(const Problem& p) {
  const OpCase one(p.label, op_of<Attention>(p), operands(p));
  return every_query_has_keys(p) ? one.gradient_outputs({0, 1}) : one;  // lse = -inf has no gradient
}

// o and lse come from the forward.
void fill_outputs(const Problem& p, Context& ctx, std::vector<Tensor>& in) {
  const std::vector<Tensor> given(in.begin(), in.begin() + 5);
  const auto out = ops::run(ctx, op_of<Attention>(p), given);
  in[5] = out[0];
  in[6] = out[1];
}

OpCase backward(const Problem& p, bool with_dlse) {
  const Shape tokens{total(p.queries), p.heads * p.head_width}, statistics{p.heads, total(p.queries)};
  auto inputs = operands(p);
  inputs.push_back(normal(tokens));
  inputs.push_back(normal(statistics).accumulation());
  inputs.push_back(normal(tokens));
  inputs.push_back(with_dlse ? normal(statistics).accumulation() : none());
  return OpCase(p.label + (with_dlse ? ", dlse" : ""), op_of<AttentionBackward>(p), inputs)
      .prepare([p](Context& ctx, std::vector<Tensor>& in) { fill_outputs(p, ctx, in); })
      .outputs_as({p.view, p.view, p.view})
      .allow(Tolerances{.f32 = {4e-6, 2e-5}, .bf16 = {2e-2, 3e-2}, .f64 = {1e-12, 1e-11}}.times(p.slack));
}

std::vector<Problem> problems() {
  std::vector<Problem> list{
      {"one query", {1}, {2}, 1, 8},
      {"one segment", {19}, {19}},
      {"more keys than queries", {3}, {41}},
      {"more queries than keys", {41}, {3}},
      {"ragged", {3, 1, 17, 8, 33}, {5, 40, 1, 16, 2}},
      {"segments without keys or queries", {3, 0, 5, 1, 0}, {4, 2, 0, 7, 0}},
      {"no tokens", {0}, {0}},
      {"no segments", {}, {}},
      {"many short", Lengths(50, 5), Lengths(50, 5), 3, 16},
      {"few long", {70, 301}, {65, 290}, 1, 48},
      {"across blocks", {129, 260}, {513, 130}, 2, 64},
      {"sharp", {37}, {53}, 2, 32, 30, View::dense, 4},  // scores of ±150 are good to 1e-5 in f32
      {"column blocks", {5, 30, 64}, {5, 30, 64}, 2, 40, 1, View::padded},
      {"misaligned", {5, 30}, {31, 17}, 2, 40, 1, View::misaligned},
  };
  for (const std::int64_t width : {8, 16, 56, 64, 72, 96, 112, 120, 128})
    list.push_back({"heads of " + std::to_string(width), {7, 25}, {34, 9}, 2, width});
  return list;
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (const auto& problem : problems()) {
    list.push_back(forward(problem));
    if (total(problem.queries) > 0) list.push_back(backward(problem, false));
  }
  list.push_back(forward({"one token", {1}, {1}, 1, 8}));
  list.push_back(backward({"ragged", {3, 1, 17, 8}, {5, 40, 1, 16}}, true));
  list.push_back(backward({"column blocks", {3, 20}, {3, 20}, 2, 24, 1, View::padded}, true));
  const Problem scan{"a scan of 1177 tokens", {1177}, {1177}, 2, 64},
      slices{"slices of 197 tokens", Lengths(24, 197), Lengths(24, 197), 2, 64};
  for (const auto& problem : {scan, slices}) {
    list.push_back(forward(problem).types({DType::f32}).timed(bytes(problem), flops(problem)));
    list.push_back(backward(problem, false).types({DType::f32}).timed(2 * bytes(problem), 2 * flops(problem)));
  }
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
