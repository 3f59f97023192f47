// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <functional>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::AddLayerNorm, ops::LayerNorm, ops::LayerNormBackward;

// Mixed precision: rows and parameters in the accumulation type, what is normed in the type under test.
template <class Op>
std::function<AnyOp(DType)> with_output(Op op) {
  return [op](DType type) mutable {
    op.output = type;
    return AnyOp::from(op);
  };
}

// One row of a name, a shape and whether rows are wide.
OpCase summed(std::string label, Shape shape, bool mixed) {
  const auto rows = [&](Input input) { return mixed ? input.accumulation() : input; };
  const std::vector<Input> inputs{rows(normal(shape, 1.5, 0.3)), normal(shape), rows(normal({shape[-1]}, 0.3, 1)),
                                  rows(normal({shape[-1]}))};
  const OpCase c = mixed ? OpCase(std::move(label), with_output(AddLayerNorm{}), inputs)
                         : OpCase(std::move(label), AddLayerNorm{}, inputs);
  return c.gradient_outputs({0, 1});
}

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
  // The statistics of x, dy in the type under test, x and what goes past the norm in the accumulation type.
  const auto mixed_backward = [&](std::string label, Shape shape, Input residual, bool narrowed) {
    const Shape rows{shape.outer(-1)};
    const auto op = [narrowed](DType type) {
      return AnyOp::from(LayerNormBackward{true, narrowed ? std::optional(type) : std::nullopt});
    };
    return OpCase(std::move(label), op,
                  {normal(shape, 1.5, 0.3).accumulation(), normal({shape[-1]}).accumulation(),
                   normal(rows).accumulation(), normal(rows).accumulation(), normal(shape), std::move(residual)})
        .prepare(statistics)
        .allow(Tolerances{}.times(2));
  };
  const auto mixed = [](std::string label, Shape shape) {
    return OpCase(std::move(label), with_output(LayerNorm{}),
                  {normal(shape, 1.5, 0.3).accumulation(), normal({shape[-1]}, 0.3, 1).accumulation(),
                   normal({shape[-1]}).accumulation()});
  };
  constexpr double kTimed = 9408.0 * 768;
  return {
      mixed("mixed, no rows", {0, 8}),
      mixed("mixed, 3 axes, 33 columns", {2, 5, 33}),
      mixed("mixed, many rows", {700, 96}),
      mixed("mixed, wide rows", {5, 1537}),
      mixed("mixed, timing", {9408, 768}).types({DType::bf16}).timed(6 * kTimed, 8 * kTimed),
      summed("no rows", {0, 8}, false).types({DType::f32, DType::f64}),
      summed("one row of 7", {1, 7}, false).types({DType::f32, DType::f64}),
      summed("3 axes, 33 columns", {2, 5, 33}, false).types({DType::f32, DType::f64}),
      summed("many rows", {700, 96}, false).types({DType::f32, DType::f64}),
      // Statistics are those of the rounded sum.
      summed("narrow rows", {2, 5, 33}, false).types({DType::bf16}).same_type_oracle(),
      summed("mixed, no rows", {0, 8}, true),
      summed("mixed, one row of 7", {1, 7}, true),
      summed("mixed, 3 axes, 33 columns", {2, 5, 33}, true),
      summed("mixed, many rows", {700, 96}, true),
      summed("mixed, wide rows", {5, 1537}, true),
      summed("mixed, rows of 768", {7, 768}, true),
      summed("mixed, the sum alone goes on", {6, 24}, true).gradient_outputs({0}),
      summed("mixed, the norm alone goes on", {6, 24}, true).gradient_outputs({1}),
      OpCase("mixed, no parameters", with_output(AddLayerNorm{}),
             {normal({5, 20}).accumulation().as(View::misaligned), normal({5, 20}).as(View::misaligned)})
          .gradient_outputs({0, 1}),
      summed("timing", {9408, 768}, false).types({DType::f32}).timed(16 * kTimed, 9 * kTimed),
      summed("mixed, timing", {9408, 768}, true).types({DType::bf16}).timed(12 * kTimed, 9 * kTimed),
      mixed_backward("mixed, no rows", {0, 8}, none(), false),
      mixed_backward("mixed, one row", {1, 19}, none(), false),
      mixed_backward("mixed, 3 axes", {3, 4, 33}, normal({3, 4, 33}).accumulation(), false),
      mixed_backward("mixed, narrowed", {3, 4, 33}, none(), true),
      mixed_backward("mixed, many rows, residual, narrowed", {700, 96}, normal({700, 96}).accumulation(), true),
      mixed_backward("mixed, rows of 768, residual, narrowed", {7, 768}, normal({7, 768}).accumulation(), true),
      mixed_backward("mixed, rows of 1023", {5, 1023}, normal({5, 1023}).accumulation(), false),
      mixed_backward("mixed, wide rows, residual", {5, 1537}, normal({5, 1537}).accumulation(), true),
      mixed_backward("mixed, more rows than turns", {1061, 260}, none(), false).types({DType::bf16}),
      mixed_backward("mixed, timing", {9408, 768}, none(), false).types({DType::bf16}).timed(10 * kTimed, 14 * kTimed),
      mixed_backward("mixed, residual, narrowed, timing", {9408, 768}, normal({9408, 768}).accumulation(), true)
          .types({DType::bf16})
          .timed(16 * kTimed, 15 * kTimed),
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
