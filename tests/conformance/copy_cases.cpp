// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/copy.hpp"

#include <cmath>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Cast, ops::Copy, ops::Fill;

std::vector<OpCase> cases() {
  const std::vector<DType> every{DType::f32, DType::bf16, DType::f64, DType::i32, DType::i64, DType::u8, DType::i16};
  std::vector<OpCase> list{
      OpCase("nothing", Copy{}, {normal({0, 3})}),
      OpCase("a scalar", Copy{}, {normal({})}),
      OpCase("misaligned", Copy{}, {normal({37}).as(View::misaligned)}),
      OpCase("padded rows", Copy{}, {normal({3, 5, 19}).as(View::padded)}),
      OpCase("spaced rows", Copy{}, {normal({3, 5, 24}).as(View::spaced)}),
      OpCase("spaced into padded rows", Copy{}, {normal({7, 40}).as(View::spaced)}).outputs_as({View::padded}),
      OpCase("transposed", Copy{}, {normal({2, 3, 17, 9}).as(View::transposed)}),
      OpCase("into spaced rows", Copy{}, {normal({6, 24})}).outputs_as({View::spaced}),
      OpCase("into padded rows", Copy{}, {normal({6, 21})}).outputs_as({View::padded}),
      OpCase("padded into transposed", Copy{}, {normal({7, 16}).as(View::padded)}).outputs_as({View::transposed}),
      OpCase("large", Copy{}, {normal({300, 257}).as(View::transposed)}),
      OpCase("whole numbers", Copy{}, {integers_below(DType::i64, {5, 33}, 100).as(View::padded)}).types({DType::i64}),
      OpCase("timing dense", Copy{}, {normal({8192, 1024})})
          .types({DType::f32, DType::bf16})
          .timed(2.0 * 4 * 8192 * 1024, 0),
      OpCase("timing padded", Copy{}, {normal({8192, 1024}).as(View::padded)})
          .types({DType::f32})
          .timed(2.0 * 4 * 8192 * 1024, 0),
  };
  // Values that must be rounded, and that saturate; a NaN becomes no whole number, so none is here.
  const std::vector<double> awkward{0,   -0.0, 0.5,     1.5,    2.5,  -0.5,  -1.5,       254.5,     255.5,
                                    300, -1,   32767.5, -32769, 1e30, -1e30, 1.00390625, 3.14159274};
  for (const DType to : every) {
    const std::string name(name_of(to));
    list.push_back(OpCase("rounding to " + name, Cast{to}, {values({17}, awkward).constant()})
                       .types({DType::f32, DType::f64, DType::bf16})
                       .same_type_oracle());
    list.push_back(OpCase("from bytes to " + name, Cast{to}, {integers_below(DType::u8, {67}, 256)})
                       .types({DType::u8})
                       .same_type_oracle());
    list.push_back(OpCase("from i16 to " + name, Cast{to}, {integers(DType::i16, {3}, {-1024, 3071, -5})})
                       .types({DType::i16})
                       .same_type_oracle());
  }
  for (const DType to : {DType::f32, DType::bf16, DType::f64})
    list.push_back(OpCase("normal to " + std::string(name_of(to)), Cast{to}, {normal({3, 41}).as(View::misaligned)})
                       .same_type_oracle()
                       .allow_gradient(Tolerances{}.times(4)));
  list.push_back(OpCase("infinite", Cast{DType::bf16}, {values({4}, {INFINITY, -INFINITY, NAN, 3.4e38}).constant()})
                     .types({DType::f32})
                     .same_type_oracle());
  list.push_back(OpCase("timing to bf16", Cast{DType::bf16}, {normal({8192, 1024})})
                     .types({DType::f32})
                     .timed(6.0 * 8192 * 1024, 0));
  list.push_back(OpCase("timing from bf16", Cast{DType::f32}, {normal({8192, 1024})})
                     .types({DType::bf16})
                     .timed(12.0 * 8192 * 1024, 0));
  for (const DType type : every)
    list.push_back(
        OpCase("fill " + std::string(name_of(type)), Fill{3, {type, {5, 7}}}, {}).types({type}).same_type_oracle());
  list.push_back(OpCase("fill padded rows", Fill{-1.5, {DType::f32, {5, 17}}}, {})
                     .types({DType::f32})
                     .outputs_as({View::padded})
                     .same_type_oracle());
  list.push_back(OpCase("fill nothing", Fill{1, {DType::f32, {0, 4}}}, {}).types({DType::f32}).same_type_oracle());
  list.push_back(
      OpCase("timing", Fill{0, {DType::f32, {8192, 1024}}}, {}).types({DType::f32}).timed(4.0 * 8192 * 1024, 0));
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
