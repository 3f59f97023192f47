// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/rounding.hpp"

#include <cmath>
#include <limits>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::RoundStochastically;

constexpr Tolerances kExact{{0, 0}, {0, 0}, {0, 0}};

OpCase exact(std::string label, std::vector<std::int64_t> draws, std::vector<Input> tensors) {
  const auto n = static_cast<std::int64_t>(tensors.size());
  std::vector<Input> inputs{integers(DType::i64, {n, 3}, std::move(draws))};
  for (const auto& tensor : tensors) inputs.push_back(tensor.of(DType::f32));
  return OpCase(std::move(label), RoundStochastically{{9, RandomPurpose::rounding}}, std::move(inputs))
      .types({DType::f32})
      .allow(kExact);
}

std::vector<OpCase> cases() {
  const double largest = std::numeric_limits<float>::max();
  std::vector<std::int64_t> many;
  std::vector<Input> crowd;
  for (std::int64_t i = 0; i < 200; ++i) {
    many.insert(many.end(), {i * 0x123456789abcde, 1 + i % 5, i % 7});
    crowd.push_back(normal({i % 7 == 3 ? 0 : 1 + i * 37 % 30}));
  }
  return {
      exact("odd sizes", {-5, 1, 0, 1'000'000'000'007, 3, 0, 3, 1, 0, -5, 2, 0},
            {normal({3, 5}), normal({}), normal({0, 5}), normal({7, 5003})}),
      exact("cut tensors", {7, 3'000'000'000, 1, 7, 2'000'000, 6, 7, 2, 16'383, 7, 2, 1ll << 33},
            {normal({1031}), normal({20'011}), normal({9}), normal({64})}),
      exact("misaligned", {1, 2, 0, 1, 2, 3}, {normal({1031}).as(View::misaligned), normal({66}).as(View::misaligned)}),
      exact("200 tensors", many, crowd),
      exact("no tensors", {}, {}),
      exact("exact in bf16", {1, 1, 0}, {values({5}, {0, -0.0, 1, -1.5, 0x1p-126})}),
      exact("largest and smallest", {1, 1, 0},
            {values({8}, {largest, -largest, 1e-45, -1e-45, largest, -largest, 1e-39, -1e-39})}),
      exact("not finite", {1, 1, 0}, {values({6}, {INFINITY, -INFINITY, NAN, 1, -NAN, INFINITY})}),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
