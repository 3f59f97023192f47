// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/concat.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Concat;

std::vector<OpCase> cases() {
  return {
      OpCase("one tensor", Concat{0}, {normal({3, 5})}),
      OpCase("rows", Concat{0}, {normal({3, 5}), normal({1, 5}), normal({4, 5})}),
      OpCase("columns", Concat{-1}, {normal({3, 5}), normal({3, 1}), normal({3, 17})}),
      OpCase("the middle", Concat{1}, {normal({2, 3, 4}), normal({2, 1, 4})}),
      OpCase("vectors", Concat{0}, {normal({1}), normal({33})}),
      OpCase("with nothing", Concat{0}, {normal({0, 5}), normal({2, 5}), normal({0, 5})}),
      OpCase("padded rows", Concat{1}, {normal({6, 5}).as(View::padded), normal({6, 16}).as(View::padded)}),
      OpCase("padded and dense", Concat{0}, {normal({6, 16}).as(View::padded), normal({2, 16})}),
      OpCase("misaligned", Concat{0}, {normal({6, 16}).as(View::misaligned), normal({2, 16}).as(View::misaligned)}),
      OpCase("whole numbers", Concat{0}, {integers_below(DType::i64, {6}, 100), integers_below(DType::i64, {3}, 100)})
          .types({DType::i64}),
      OpCase("blocks of columns", Concat{1}, {normal({9, 24}), normal({9, 8}), normal({9, 48})}),
      OpCase("turned", Concat{0}, {normal({16, 24}).as(View::transposed), normal({8, 24})}),
      OpCase("large", Concat{0}, {normal({200, 257}), normal({150, 257})}),
      OpCase("timing rows", Concat{0}, {normal({4096, 768}), normal({4096, 768})})
          .types({DType::f32, DType::bf16})
          .timed(16.0 * 4096 * 768, 0),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
