// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

#include <cmath>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Softmax, ops::SoftmaxBackward;

std::vector<OpCase> cases() {
  const double inf = INFINITY;
  return {
      OpCase("no rows", Softmax{}, {normal({0, 5})}),
      OpCase("one element", Softmax{}, {normal({1})}),
      OpCase("one row of 7", Softmax{}, {normal({1, 7}, 2)}),
      OpCase("3 axes, 33 columns", Softmax{}, {normal({3, 4, 33}, 3)}),
      OpCase("misaligned", Softmax{}, {normal({5, 24}).as(View::misaligned)}),
      OpCase("large logits", Softmax{}, {normal({4, 17}, 2, 1e4)}).types({DType::f64}),
      OpCase("spread logits", Softmax{}, {normal({6, 40}, 60)}).allow_gradient(Tolerances{}.times(8)),
      OpCase("masked and undefined rows", Softmax{},
             {values({3, 4}, {0, -inf, 1, -inf, -inf, -inf, -inf, -inf, NAN, 0, 1, 2})})
          .no_gradient("not finite"),
      OpCase("many rows", Softmax{}, {normal({700, 129}, 2)}),
      OpCase("wide rows", Softmax{}, {normal({3, 2056}, 2)}),
      OpCase("timing", Softmax{}, {normal({4096, 1024})})
          .types({DType::f32})
          .timed(2.0 * 4 * 4096 * 1024, 5.0 * 4096 * 1024),
      OpCase("no rows", SoftmaxBackward{}, {normal({0, 5}), normal({0, 5})}),
      OpCase("19 columns", SoftmaxBackward{}, {uniform({6, 19}, 0, 1), normal({6, 19})}),
      OpCase("misaligned", SoftmaxBackward{},
             {uniform({5, 24}, 0, 1).as(View::misaligned), normal({5, 24}).as(View::misaligned)}),
      OpCase("timing", SoftmaxBackward{}, {uniform({4096, 1024}, 0, 1), normal({4096, 1024})})
          .types({DType::f32})
          .timed(3.0 * 4 * 4096 * 1024, 4.0 * 4096 * 1024),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
