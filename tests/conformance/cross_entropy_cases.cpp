// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/cross_entropy.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::CrossEntropy, ops::CrossEntropyBackward;

std::vector<OpCase> cases() {
  const auto lse = [](Context& ctx, std::vector<Tensor>& in) {
    in[2] = ops::run(ctx, CrossEntropy{}, {in[0], in[1]})[1];
  };
  return {
      OpCase("no rows", CrossEntropy{}, {normal({0, 5}), integers(DType::i64, {0}, {})}),
      OpCase("one row", CrossEntropy{}, {normal({1, 9}, 2), integers(DType::i64, {1}, {8})}),
      OpCase("one class", CrossEntropy{}, {normal({3, 1}), integers(DType::i64, {3}, {0, 0, 0})})
          .no_gradient("the true gradient is zero"),
      OpCase("6 rows of 11", CrossEntropy{}, {normal({6, 11}, 2), integers_below(DType::i64, {6}, 11)}),
      OpCase("ignored rows", CrossEntropy{}, {normal({4, 7}), integers(DType::i64, {4}, {-1, 3, -1, 0})}),
      OpCase("another ignore index", CrossEntropy{2}, {normal({4, 7}), integers(DType::i64, {4}, {2, 3, 2, 0})}),
      OpCase("large logits", CrossEntropy{}, {normal({5, 33}, 50), integers_below(DType::i64, {5}, 33)})
          .allow_gradient(Tolerances{}.times(20)),
      OpCase("misaligned", CrossEntropy{},
             {normal({5, 24}).as(View::misaligned), integers_below(DType::i64, {5}, 24).as(View::misaligned)}),
      OpCase("a batch of 300", CrossEntropy{}, {normal({300, 300}, 3), integers_below(DType::i64, {300}, 300)}),
      OpCase("more than 512 classes", CrossEntropy{}, {normal({5, 1032}, 3), integers_below(DType::i64, {5}, 1032)}),
      OpCase("513 classes, misaligned", CrossEntropy{},
             {normal({5, 513}, 3).as(View::misaligned), integers_below(DType::i64, {5}, 513)}),
      OpCase("timing", CrossEntropy{}, {normal({4096, 4096}), integers_below(DType::i64, {4096}, 4096)})
          .types({DType::f32})
          .timed(4.0 * 4096 * 4096, 4.0 * 4096 * 4096),
      OpCase("ignored rows", CrossEntropyBackward{},
             {normal({4, 19}), integers(DType::i64, {4}, {5, -1, 18, 0}), normal({4}).accumulation(),
              normal({4}).accumulation()})
          .prepare(lse),
      OpCase("many rows", CrossEntropyBackward{},
             {normal({200, 33}), integers_below(DType::i64, {200}, 33), normal({200}).accumulation(),
              normal({200}).accumulation()})
          .prepare(lse),
      OpCase("timing", CrossEntropyBackward{},
             {normal({4096, 4096}), integers_below(DType::i64, {4096}, 4096), uniform({4096}, 8, 9).accumulation(),
              normal({4096}).accumulation()})
          .types({DType::f32})
          .timed(8.0 * 4096 * 4096, 4.0 * 4096 * 4096),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
