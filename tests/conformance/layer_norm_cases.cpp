// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::LayerNorm, ops::LayerNormBackward;

std::vector<OpCase> cases() {
  const auto affine = [](std::string label, Shape shape) {
    return OpCase(std::move(label), LayerNorm{},
                  {normal(shape, 1.5, 0.3), normal({shape[-1]}, 0.3, 1), normal({shape[-1]})});
  };
  // The forward op's statistics, from the x that stands in input 0.
  const auto statistics = [](Context& ctx, std::vector<Tensor>& in) {
    const auto out = ops::run(ctx, LayerNorm{}, {in[0]});
    in[2] = out[1];
    in[3] = out[2];
  };
  const auto backward = [&](std::string label, Shape shape, Input gamma, bool parameters) {
    const Shape rows{shape.outer(-1)};
    return OpCase(std::move(label), LayerNormBackward{parameters},
                  {normal(shape, 1.5, 0.3), std::move(gamma), normal(rows).accumulation(), normal(rows).accumulation(),
                   normal(shape)})
        .prepare(statistics)
        .allow(Tolerances{}.times(2));
  };
  return {
      affine("no rows", {0, 8}),
      affine("one row of 7", {1, 7}),
      affine("6 rows of 24", {6, 24}),
      affine("3 axes, 33 columns", {2, 5, 33}),
      affine("many rows", {700, 96}),
      affine("wide rows", {5, 1537}),
      OpCase("one column", LayerNorm{}, {normal({4, 1})}).no_gradient("the true gradient is zero"),
      OpCase("no parameters", LayerNorm{}, {normal({5, 20})}),
      OpCase("gamma alone", LayerNorm{}, {normal({5, 20}), normal({20})}),
      OpCase("beta alone", LayerNorm{}, {normal({5, 20}), none(), normal({20})}),
      OpCase("wide parameters", LayerNorm{},
             {normal({9, 40}), normal({40}).accumulation(), normal({40}).accumulation()}),
      OpCase("epsilon counts", LayerNorm{1e-1}, {normal({6, 24}, 0.2), normal({24}), normal({24})}),
      OpCase("far from zero", LayerNorm{}, {normal({6, 48}, 1, 100)})
          .types({DType::f32, DType::f64})
          .allow({{2e-5, 4e-5}, {}, {1e-12, 1e-12}})
          .no_gradient("differences of large numbers; see the other cases"),
      OpCase(
          "misaligned", LayerNorm{},
          {normal({5, 24}).as(View::misaligned), normal({24}).as(View::misaligned), normal({24}).as(View::misaligned)}),
      affine("timing", {8192, 768}).types({DType::f32, DType::bf16}).timed(8.0 * 8192 * 768, 8.0 * 8192 * 768),
      backward("no rows", {0, 8}, normal({8}), true),
      backward("one row", {1, 19}, normal({19}), true),
      backward("3 axes", {3, 4, 33}, normal({33}), true),
      backward("many rows", {700, 96}, normal({96}), true),
      backward("without gamma", {8, 24}, none(), true),
      backward("wide gamma", {8, 24}, normal({24}).accumulation(), true),
      backward("dx alone", {8, 24}, normal({24}), false),
      backward("timing", {8192, 768}, normal({768}), true)
          .types({DType::f32, DType::bf16})
          .timed(12.0 * 8192 * 768, 14.0 * 8192 * 768),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
