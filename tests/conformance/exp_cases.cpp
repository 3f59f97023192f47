// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include <cmath>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Exp;

std::vector<OpCase> cases() {
  return {
      OpCase("nothing", Exp{}, {normal({0, 3})}),
      OpCase("a scalar", Exp{}, {normal({})}),
      OpCase("3 axes", Exp{}, {normal({2, 5, 23}, 2)}),
      OpCase("misaligned", Exp{}, {normal({77}).as(View::misaligned)}),
      OpCase("in place", Exp{}, {normal({4, 33})}).in_place({0}),
      OpCase("large", Exp{}, {uniform({70001}, -3, 3)}),
      OpCase("special values", Exp{}, {values({5}, {INFINITY, -INFINITY, NAN, -0.0, -700})}).no_gradient("not finite"),
      OpCase("timing", Exp{}, {normal({8192, 1024})}).types({DType::f32}).timed(8.0 * 8192 * 1024, 12.0 * 8192 * 1024),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
