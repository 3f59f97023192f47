// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/sigmoid_cross_entropy.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::SigmoidCrossEntropy, ops::SigmoidCrossEntropyBackward;

std::vector<OpCase> cases() {
  return {
      OpCase("no rows", SigmoidCrossEntropy{}, {normal({0, 5}), integers(DType::i64, {0}, {})}),
      OpCase("one column", SigmoidCrossEntropy{}, {normal({3, 1}), integers(DType::i64, {3}, {0, 0, 0})}),
      OpCase("6 rows of 11", SigmoidCrossEntropy{}, {normal({6, 11}, 2), integers_below(DType::i64, {6}, 11)}),
      OpCase("rows without a match", SigmoidCrossEntropy{},
             {normal({4, 7}), integers(DType::i64, {4}, {-1, 3, -1, 0})}),
      OpCase("large logits", SigmoidCrossEntropy{}, {normal({5, 33}, 50), integers_below(DType::i64, {5}, 33)})
          .allow_gradient(Tolerances{}.times(20)),
      OpCase("more than 512 columns", SigmoidCrossEntropy{},
             {normal({5, 1032}, 2), integers_below(DType::i64, {5}, 1032)}),
      OpCase("timing", SigmoidCrossEntropy{}, {normal({1024, 1024}), integers_below(DType::i64, {1024}, 1024)})
          .types({DType::f32})
          .timed(4.0 * 1024 * 1024, 4.0 * 1024 * 1024),
      OpCase("rows without a match", SigmoidCrossEntropyBackward{},
             {normal({4, 19}), integers(DType::i64, {4}, {5, -1, 18, 0}), normal({4}).accumulation()}),
      OpCase("timing", SigmoidCrossEntropyBackward{},
             {normal({1024, 1024}), integers_below(DType::i64, {1024}, 1024), normal({1024}).accumulation()})
          .types({DType::f32})
          .timed(8.0 * 1024 * 1024, 4.0 * 1024 * 1024),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
