// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include <cmath>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Gelu, ops::GeluBackward;

std::vector<OpCase> cases() {
  const double inf = INFINITY;
  // Far tails: the value is tiny, so errors count against it and not against its neighbours; f32 implementations may
  // flush beyond -13.
  const Input tail = uniform({64}, -6, -3);
  return {
      OpCase("nothing", Gelu{}, {normal({0, 3})}),
      OpCase("one element", Gelu{}, {normal({1})}),
      OpCase("3 axes", Gelu{}, {normal({2, 5, 23}, 2)}),
      OpCase("lower tail", Gelu{}, {tail}).allow({{2e-5, 2e-5}, {8e-3, 1.2e-2}, {1e-12, 1e-12}}),
      OpCase("spread", Gelu{}, {uniform({1000}, -12, 12)}),
      OpCase("misaligned", Gelu{}, {normal({77}).as(View::misaligned)}),
      OpCase("special values", Gelu{}, {values({4}, {0, -0.0, inf, NAN})}).no_gradient("not finite"),
      OpCase("large", Gelu{}, {normal({300, 257})}),
      OpCase("timing", Gelu{}, {normal({4096, 3072})})
          .types({DType::f32, DType::bf16})
          .timed(8.0 * 4096 * 3072, 30.0 * 4096 * 3072),
      OpCase("3 axes", GeluBackward{}, {normal({2, 5, 23}, 2), normal({2, 5, 23})}),
      OpCase("spread", GeluBackward{}, {uniform({1000}, -12, 12), normal({1000})}),
      OpCase("in place", GeluBackward{}, {normal({5, 40}), normal({5, 40})}).in_place({1}),
      OpCase("misaligned", GeluBackward{}, {normal({77}).as(View::misaligned), normal({77}).as(View::misaligned)}),
      OpCase("timing", GeluBackward{}, {normal({4096, 3072}), normal({4096, 3072})})
          .types({DType::f32, DType::bf16})
          .timed(12.0 * 4096 * 3072, 40.0 * 4096 * 3072),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
