// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::GeluLinearBackward, ops::Linear, ops::LinearParametersBackward, ops::Matmul;

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  // Errors grow with the inner size; sums of K products of size one are of size sqrt(K).
  const Tolerances product{{3e-6, 1e-5}, {6e-3, 1.2e-2}, {1e-13, 1e-12}};
  const auto add = [&](std::string label, const Matmul& op, Input a, Input b) {
    list.push_back(OpCase(std::move(label), op, {std::move(a), std::move(b)}).allow(product));
  };
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const std::string word = std::string(ta ? "at" : "a") + (tb ? " bt " : " b ");
      const auto shape = [](bool transposed, std::int64_t rows, std::int64_t columns) {
        return transposed ? Shape{columns, rows} : Shape{rows, columns};
      };
      const auto batch = [](bool transposed, std::int64_t rows, std::int64_t columns) {
        return transposed ? Shape{3, columns, rows} : Shape{3, rows, columns};
      };
      add(word + "odd sizes", {ta, tb}, normal(shape(ta, 7, 19)), normal(shape(tb, 19, 5)));
      add(word + "one element", {ta, tb}, normal(shape(ta, 1, 1)), normal(shape(tb, 1, 1)));
      add(word + "batch", {ta, tb}, normal(batch(ta, 6, 4)), normal(batch(tb, 4, 9)));
      add(word + "padded", {ta, tb}, normal(shape(ta, 9, 17)).as(View::padded),
          normal(shape(tb, 17, 11)).as(View::padded));
      add(word + "padded batch", {ta, tb}, normal(batch(ta, 6, 4)).as(View::padded),
          normal(batch(tb, 4, 9)).as(View::padded));
      add(word + "misaligned", {ta, tb}, normal(shape(ta, 16, 32)).as(View::misaligned),
          normal(shape(tb, 32, 16)).as(View::misaligned));
      add(word + "wide", {ta, tb, true}, normal(shape(ta, 12, 40)), normal(shape(tb, 40, 10)));
      add(word + "large", {ta, tb}, normal(shape(ta, 130, 259)), normal(shape(tb, 259, 97)));
      list.push_back(
          OpCase("timing " + word, Matmul{ta, tb}, {normal(shape(ta, 2048, 768)), normal(shape(tb, 768, 768))})
              .types({DType::f32, DType::bf16})
              .timed(4.0 * (2048 * 768 * 2 + 768 * 768), 2.0 * 2048 * 768 * 768));
    }
  add("no rows", {}, normal({0, 5}), normal({5, 3}));
  add("no columns", {}, normal({4, 5}), normal({5, 0}));
  add("nothing to sum", {}, normal({4, 0}), normal({0, 3}));
  add("empty batch", {}, normal({0, 4, 5}), normal({0, 5, 3}));
  add("one row", {}, normal({1, 64}), normal({64, 33}));
  add("one column", {}, normal({33, 64}), normal({64, 1}));

  const auto linear = [&](std::string label, Input x, Input weight, Input bias) {
    list.push_back(
        OpCase(std::move(label), Linear{}, {std::move(x), std::move(weight), std::move(bias)}).allow(product));
  };
  linear("7 rows", normal({7, 10}), normal({5, 10}), normal({5}));
  linear("no bias", normal({7, 10}), normal({5, 10}), none());
  linear("no rows", normal({0, 10}), normal({5, 10}), normal({5}));
  linear("one row", normal({1, 17}), normal({33, 17}), normal({33}));
  linear("a vector", normal({17}), normal({33, 17}), normal({33}));
  linear("3 axes", normal({2, 5, 24}), normal({9, 24}), normal({9}));
  linear("wide bias", normal({6, 24}), normal({16, 24}), normal({16}).accumulation());
  linear("padded rows", normal({6, 24}).as(View::padded), normal({16, 24}), normal({16}));
  linear("padded 3 axes", normal({2, 3, 24}).as(View::padded), normal({16, 24}), none());
  linear("misaligned", normal({6, 24}).as(View::misaligned), normal({16, 24}).as(View::misaligned),
         normal({16}).as(View::misaligned));
  linear("a convolution's kernel", normal({6, 24}), normal({5, 2, 3, 2, 2}), normal({5}));
  const auto fused = [&](std::string label, bool gelu, Input x, Input weight, Input bias, Input residual) {
    const std::vector<Input> inputs{std::move(x), std::move(weight), std::move(bias), std::move(residual)};
    list.push_back(OpCase(label, Linear{gelu}, inputs).types({DType::f32, DType::f64}).allow(product));
    Tolerances rounded = product;  // an f32 result of products of rounded numbers, gelu(x) among them
    rounded.f32 = rounded.bf16;
    list.push_back(OpCase(label + ", narrow", Linear{gelu}, inputs).types({DType::bf16}).allow(rounded));
  };
  fused("residual", false, normal({7, 10}), normal({5, 10}), normal({5}), normal({7, 5}));
  fused("residual, no bias", false, normal({7, 10}), normal({5, 10}), none(), normal({7, 5}));
  fused("wide residual", false, normal({6, 24}), normal({16, 24}), normal({16}).accumulation(),
        normal({6, 16}).accumulation());
  fused("wide residual, narrow bias", false, normal({6, 24}), normal({16, 24}), normal({16}),
        normal({6, 16}).accumulation());
  fused("padded wide residual", false, normal({6, 24}).as(View::padded), normal({16, 24}), normal({16}).accumulation(),
        normal({6, 16}).accumulation().as(View::padded));
  fused("residual over nothing", false, normal({3, 0}), normal({5, 0}), normal({5}), normal({3, 5}));
  fused("gelu", true, normal({7, 10}), normal({5, 10}), normal({5}), none());
  fused("gelu of padded rows", true, normal({7, 10}).as(View::padded), normal({5, 10}), none(), none());
  fused("gelu of spaced rows", true, normal({7, 24}).as(View::spaced), normal({5, 24}), none(), none());
  fused("gelu and wide residual", true, normal({9, 33}), normal({17, 33}), normal({17}).accumulation(),
        normal({9, 17}).accumulation());
  fused("panels", true, normal({301, 64}), normal({48, 64}), normal({48}).accumulation(),
        normal({301, 48}).accumulation());
  fused("panels of plain rows", false, normal({299, 72}), normal({40, 72}), normal({40}), none());
  list.push_back(OpCase("b is a weight", Matmul{.weight = true}, {normal({7, 19}), normal({19, 5})}).allow(product));
  list.push_back(OpCase("b is a transposed weight, panels", Matmul{.transpose_b = true, .weight = true},
                        {normal({260, 32}), normal({64, 32})})
                     .allow(product));
  list.push_back(OpCase("padded rows, b is a weight, panels", Matmul{.weight = true},
                        {normal({208, 40}).as(View::padded), normal({40, 24})})
                     .allow(product));
  const auto backward = [&](std::string label, Input dy, Input weight, Input x) {
    list.push_back(OpCase(std::move(label), GeluLinearBackward{}, {std::move(dy), std::move(weight), std::move(x)})
                       .allow(product));
  };
  backward("7 rows", normal({7, 5}), normal({5, 10}), normal({7, 10}));
  backward("no rows", normal({0, 5}), normal({5, 10}), normal({0, 10}));
  backward("padded", normal({7, 5}).as(View::padded), normal({5, 10}), normal({7, 10}));
  backward("panels", normal({305, 48}), normal({48, 72}), normal({305, 72}));
  const auto parameters = [&](std::string label, Input dy, Input x) {
    list.push_back(OpCase(std::move(label), LinearParametersBackward{}, {std::move(dy), std::move(x)}).allow(product));
  };
  parameters("7 rows", normal({7, 5}), normal({7, 10}));
  parameters("no rows", normal({0, 5}), normal({0, 10}));
  parameters("one output", normal({9, 1}), normal({9, 16}));
  parameters("padded", normal({7, 5}).as(View::padded), normal({7, 10}).as(View::padded));
  parameters("aligned", normal({130, 48}), normal({130, 72}));
  parameters("spaced", normal({40, 24}).as(View::spaced), normal({40, 16}).as(View::spaced));
  linear("large", normal({257, 130}), normal({99, 130}), normal({99}));
  list.push_back(OpCase("timing", Linear{}, {normal({4096, 768}), normal({3072, 768}), normal({3072})})
                     .types({DType::f32, DType::bf16})
                     .timed(4.0 * (4096 * 768 + 3072 * 768 + 4096 * 3072), 2.0 * 4096 * 768 * 3072));
  // The MLP of a ViT-B on eight scans: the second product with all that is fused into it, forward and backward.
  list.push_back(OpCase("timing gelu and residual", Linear{.gelu = true},
                        {normal({9408, 3072}), normal({768, 3072}), normal({768}).accumulation(),
                         normal({9408, 768}).accumulation()})
                     .types({DType::f32, DType::bf16})
                     .timed(4.0 * (9408 * 3072 + 768 * 3072 + 2 * 9408 * 768), 2.0 * 9408 * 768 * 3072));
  list.push_back(
      OpCase("timing", GeluLinearBackward{}, {normal({9408, 768}), normal({768, 3072}), normal({9408, 3072})})
          .types({DType::f32, DType::bf16})
          .timed(4.0 * (3 * 9408 * 3072 + 768 * 3072 + 9408 * 768), 2.0 * 9408 * 768 * 3072));
  list.push_back(OpCase("timing weight", Matmul{.weight = true}, {normal({9408, 3072}), normal({3072, 768})})
                     .types({DType::f32, DType::bf16})
                     .timed(4.0 * (9408 * 3072 + 3072 * 768 + 9408 * 768), 2.0 * 9408 * 768 * 3072));
  list.push_back(OpCase("timing weight gradient", Matmul{.transpose_a = true, .wide = true},
                        {normal({9408, 3072}), normal({9408, 768})})
                     .types({DType::f32, DType::bf16})
                     .timed(4.0 * (9408 * 3072 + 3072 * 768 + 9408 * 768), 2.0 * 9408 * 768 * 3072));
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
