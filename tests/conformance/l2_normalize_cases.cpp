// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/l2_normalize.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::L2Normalize, ops::L2NormalizeBackward;

std::vector<OpCase> cases() {
  const auto forward = [](Context& ctx, std::vector<Tensor>& in) {
    const auto out = ops::run(ctx, L2Normalize{}, {in[0]});
    in[0] = out[0];
    in[1] = out[1];
  };
  const auto backward = [&](std::string label, Shape shape) {
    return OpCase(std::move(label), L2NormalizeBackward{},
                  {normal(shape), uniform({shape.outer(-1)}, 1, 2).accumulation(), normal(shape)})
        .prepare(forward);
  };
  return {
      OpCase("no rows", L2Normalize{}, {normal({0, 8})}),
      OpCase("one row of 7", L2Normalize{}, {normal({1, 7})}),
      OpCase("4 rows of 12", L2Normalize{}, {normal({4, 12})}),
      OpCase("3 axes, 33 columns", L2Normalize{}, {normal({2, 3, 33})}),
      OpCase("a vector", L2Normalize{}, {normal({100})}),
      OpCase("misaligned", L2Normalize{}, {normal({5, 24}).as(View::misaligned)}),
      OpCase("many rows", L2Normalize{}, {normal({700, 65})}),
      OpCase("wide rows", L2Normalize{}, {normal({3, 2056})}),
      OpCase("rows of zeros", L2Normalize{}, {values({2, 3}, {0, 0, 0, 1, 2, 2})})
          .no_gradient("the norm has no derivative at zero"),
      OpCase("rows shorter than epsilon", L2Normalize{100}, {normal({3, 10})}),
      OpCase("timing", L2Normalize{}, {normal({16384, 512})})
          .types({DType::f32})
          .timed(8.0 * 16384 * 512, 3.0 * 16384 * 512),
      backward("no rows", {0, 8}),
      backward("one row", {1, 19}),
      backward("many rows", {300, 33}),
      OpCase("rows shorter than epsilon", L2NormalizeBackward{10},
             {normal({3, 8}), uniform({3}, 1, 2).accumulation(), normal({3, 8})}),
      backward("timing", {16384, 512}).types({DType::f32}).timed(12.0 * 16384 * 512, 5.0 * 16384 * 512),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
