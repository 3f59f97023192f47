// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/elementwise.hpp"

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Add, ops::Clamp, ops::Mul, ops::Scale;

std::vector<OpCase> cases() {
  std::vector<OpCase> list{
      OpCase("times -0.75", Scale{-0.75}, {normal({5, 21})}),
      OpCase("of nothing", Scale{2}, {normal({0})}),
      OpCase("misaligned, large", Scale{1.25}, {normal({70001}).as(View::misaligned)}),
      OpCase("in place", Scale{3}, {normal({4, 33})}).in_place({0}),
      OpCase("timing", Scale{0.5}, {normal({8192, 1024})})
          .types({DType::f32, DType::bf16})
          .timed(8.0 * 8192 * 1024, 8192.0 * 1024),
  };
  list.push_back(OpCase("both sides", Clamp{-0.5, 0.75}, {normal({6, 21})}));
  const auto both = [&](auto op) {
    list.push_back(OpCase("equal shapes", op, {normal({3, 7}), normal({3, 7})}));
    list.push_back(OpCase("one element", op, {normal({1}), normal({1})}));
    list.push_back(OpCase("nothing", op, {normal({0, 4}), normal({4})}));
    list.push_back(OpCase("a row onto rows", op, {normal({9, 19}), normal({19})}));
    list.push_back(OpCase("a matrix onto a batch", op, {normal({4, 3, 5}), normal({3, 5})}));
    list.push_back(OpCase("a long row onto rows", op, {normal({40, 264}), normal({264})}));
    list.push_back(OpCase("a scalar", op, {normal({4, 3}), normal({})}));
    list.push_back(OpCase("misaligned", op, {normal({5, 16}).as(View::misaligned), normal({16}).as(View::misaligned)}));
    list.push_back(OpCase("in place", op, {normal({11, 24}), normal({11, 24})}).in_place({0}));
    list.push_back(OpCase("in place, a row", op, {normal({11, 24}), normal({24})}).in_place({0}));
    list.push_back(OpCase("in place of the second", op, {normal({11, 24}), normal({11, 24})}).in_place({1}));
    list.push_back(OpCase("large", op, {normal({300, 257}), normal({257})}));
    list.push_back(OpCase("timing", op, {normal({8192, 1024}), normal({8192, 1024})})
                       .types({DType::f32, DType::bf16})
                       .timed(12.0 * 8192 * 1024, 8192.0 * 1024));
    list.push_back(OpCase("timing a row", op, {normal({8192, 1024}), normal({1024})})
                       .types({DType::f32, DType::bf16})
                       .timed(8.0 * 8192 * 1024, 8192.0 * 1024));
  };
  list.push_back(OpCase("a branch onto wide rows", Add{}, {normal({9, 19}).accumulation(), normal({9, 19})}));
  list.push_back(OpCase("a row onto wide rows", Add{}, {normal({9, 19}).accumulation(), normal({19})}));
  list.push_back(OpCase("a wide row onto rows", Add{}, {normal({9, 19}), normal({19}).accumulation()}));
  list.push_back(OpCase("a wide matrix onto another", Add{}, {normal({9, 19}), normal({9, 19}).accumulation()}));
  list.push_back(
      OpCase("in place of wide rows", Add{}, {normal({300, 257}).accumulation(), normal({300, 257})}).in_place({0}));
  list.push_back(OpCase("timing mixed", Add{}, {normal({8192, 1024}).accumulation(), normal({8192, 1024})})
                     .types({DType::bf16})
                     .timed(10.0 * 8192 * 1024, 8192.0 * 1024));
  both(Add{});
  both(Mul{});
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
