// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/reduce.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Expand, ops::Reduce, ops::Reduction;

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (const Reduction kind : {Reduction::sum, Reduction::mean}) {
    const std::string word = kind == Reduction::sum ? "sum" : "mean";
    list.push_back(
        OpCase(word + " of everything", Reduce{.kind = kind, .everything = true}, {normal({3, 5, 7}, 1, 0.5)}));
    list.push_back(OpCase(word + " of one element", Reduce{.kind = kind, .everything = true}, {normal({1})}));
    list.push_back(OpCase(word + " of a scalar", Reduce{.kind = kind, .everything = true}, {normal({})}));
    list.push_back(OpCase(word + " over rows", Reduce{kind, 0}, {normal({19, 33}, 1, 0.5)}));
    list.push_back(OpCase(word + " over columns", Reduce{kind, -1}, {normal({19, 33}, 1, 0.5)}));
    list.push_back(OpCase(word + " over the middle", Reduce{kind, 1}, {normal({4, 6, 5}, 1, 0.5)}));
    list.push_back(OpCase(word + " over one row", Reduce{kind, 0}, {normal({1, 7})}));
    list.push_back(OpCase(word + " misaligned", Reduce{kind, 0}, {normal({9, 16}).as(View::misaligned)}));
    list.push_back(OpCase(word + " of many rows", Reduce{kind, 0}, {normal({3000, 37}, 1, 0.5)}));
    list.push_back(OpCase(word + " of wide rows", Reduce{kind, 0}, {normal({300, 264}, 1, 0.5)}));
    list.push_back(OpCase(word + " of few in the middle", Reduce{kind, 1}, {normal({300, 4, 24}, 1, 0.5)}));
    list.push_back(OpCase(word + " of much", Reduce{.kind = kind, .everything = true}, {normal({100003}, 1, 0.5)}));
    list.push_back(OpCase(word + " wide", Reduce{.kind = kind, .wide = true}, {normal({3000, 37}, 1, 0.5)}));
    list.push_back(
        OpCase(word + " wide over columns", Reduce{.kind = kind, .axis = 1, .wide = true}, {normal({19, 33}, 1, 0.5)}));
    list.push_back(OpCase(word + " wide of much", Reduce{.kind = kind, .everything = true, .wide = true},
                          {normal({100003}, 1, 0.5)}));
    list.push_back(OpCase(word + " of no rows", Reduce{kind, 0}, {normal({0, 5})}));
    list.push_back(OpCase(word + " of no columns", Reduce{kind, 0}, {normal({5, 0})}));
  }
  list.push_back(OpCase("along rows", Expand{.shape = {5, 19}, .axis = 0, .alpha = 0.5}, {normal({19})}));
  list.push_back(OpCase("along columns", Expand{.shape = {5, 19}, .axis = -1}, {normal({5})}));
  list.push_back(OpCase("along the middle", Expand{.shape = {3, 4, 5}, .axis = 1, .alpha = -2}, {normal({3, 5})}));
  list.push_back(OpCase("a scalar", Expand{.shape = {3, 33}, .everything = true, .alpha = 3}, {normal({})}));
  list.push_back(OpCase("to nothing", Expand{.shape = {0, 4}, .axis = 0}, {normal({4})}));
  list.push_back(OpCase("large", Expand{.shape = {300, 257}, .axis = 0}, {normal({257})}));
  list.push_back(OpCase("timing rows", Reduce{Reduction::sum, 0}, {normal({8192, 1024})})
                     .types({DType::f32, DType::bf16})
                     .timed(4.0 * 8192 * 1024, 8192.0 * 1024));
  list.push_back(OpCase("timing columns", Reduce{Reduction::sum, 1}, {normal({8192, 1024})})
                     .types({DType::f32, DType::bf16})
                     .timed(4.0 * 8192 * 1024, 8192.0 * 1024));
  list.push_back(OpCase("timing", Expand{.shape = {8192, 1024}, .axis = 0}, {normal({1024})})
                     .types({DType::f32})
                     .timed(4.0 * 8192 * 1024, 0));
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
