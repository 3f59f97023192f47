// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/dropout.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Dropout;
using ops::DropPathFactors;
using ops::ScaleSegments;

OpCase factors(std::string label, double rate, std::vector<std::int64_t> keys) {
  const auto count = static_cast<std::int64_t>(keys.size()) / 2;
  return OpCase(std::move(label),
                [=](DType to) {
                  return AnyOp::from(DropPathFactors{rate, {7, RandomPurpose::drop_path}, 3, to});
                },
                {integers(DType::i64, {count, 2}, std::move(keys))});
}

std::vector<OpCase> cases() {
  // (sample ordinal, part) of four segments of 5, 0, 1 and 6 rows; one ordinal needs more than 32 bits.
  const std::vector<std::int64_t> keys{0, 0, 3, 1, 1'000'000'000'007, 2, 3, 1};
  const Input key_input = integers(DType::i64, {4, 2}, keys), offsets = integers(DType::i32, {5}, {0, 5, 5, 6, 12});
  std::vector<std::int64_t> many;
  for (std::int64_t i = 0; i < 100; ++i) many.insert(many.end(), {i, i % 3});
  return {
      OpCase("a tenth", Dropout{0.1, {5, RandomPurpose::dropout}, 2}, {normal({12, 20}), key_input, offsets}),
      OpCase("a half", Dropout{0.5, {5, RandomPurpose::dropout}, 0}, {normal({12, 33}), key_input, offsets}),
      OpCase("nothing", Dropout{0.0}, {normal({12, 20}), key_input, offsets}),
      OpCase("no rows", Dropout{0.1},
             {normal({0, 20}), integers(DType::i64, {0, 2}, {}), integers(DType::i32, {1}, {0})}),
      factors("four", 0.5, keys),
      factors("a hundred", 0.2, many),
      factors("nothing dropped", 0.0, many),
      factors("no sequences", 0.2, {}),
      OpCase("ragged", ScaleSegments{}, {normal({12, 20}), values({4}, {0, 2, 1.25, -3}).constant(), offsets}),
      OpCase("f32 factors", ScaleSegments{},
             {normal({12, 33}), values({4}, {0, 2, 1.25, -3}).of(DType::f32).constant(), offsets}),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
