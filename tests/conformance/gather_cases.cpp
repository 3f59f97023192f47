// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gather.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::AddRows;
using ops::GatherRows;
using ops::ScatterAddRows;

std::vector<OpCase> cases() {
  const Input index = integers(DType::i32, {6}, {0, 8, 3, 3, 1, 3}),
              wide_index = integers(DType::i64, {6}, {8, 0, 8, 8, 2, 2});
  const Input nothing = integers(DType::i32, {0}, {});
  // Tables whose rows several blocks share, and positions that take more than one look.
  const Input many = integers_below(DType::i32, {1300}, 7), spread = integers_below(DType::i64, {1100}, 90),
              few = integers_below(DType::i32, {40}, 7);
  std::vector<std::int64_t> ascending(1100);
  for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<std::int64_t>(i / 8);
  const double rows = 1176 * 768.0;
  return {
      OpCase("i32", GatherRows{}, {normal({9, 20}), index}),
      OpCase("i64", GatherRows{}, {normal({9, 33}), wide_index}),
      OpCase("no rows", GatherRows{}, {normal({9, 20}), nothing}),
      OpCase("a scan", GatherRows{}, {normal({1176, 768}), integers_below(DType::i32, {1176}, 1176)})
          .timed(8 * rows, 0),
      OpCase("i32", ScatterAddRows{9}, {normal({6, 20}), index}),
      OpCase("i64", ScatterAddRows{9}, {normal({6, 33}), wide_index}),
      OpCase("no rows", ScatterAddRows{4}, {normal({0, 20}), nothing}),
      OpCase("one row takes all", ScatterAddRows{2},
             {normal({300, 40}), integers(DType::i32, {300}, std::vector<std::int64_t>(300, 1))}),
      OpCase("many positions", ScatterAddRows{7}, {normal({1300, 24}), many}),
      OpCase("many positions, odd width", ScatterAddRows{7}, {normal({1300, 5}), many}),
      OpCase("many rows", ScatterAddRows{90}, {normal({1100, 8}), spread}),
      OpCase("in ascending order", ScatterAddRows{140}, {normal({1100, 8}), integers(DType::i32, {1100}, ascending)}),
      OpCase("wide rows", ScatterAddRows{7}, {normal({40, 2304}), few}),
      OpCase("wide rows", GatherRows{}, {normal({7, 2304}), few}),
      OpCase("wide rows, f32 table", AddRows{}, {normal({40, 2304}), normal({7, 2304}).of(DType::f32), few}),
      OpCase("wide rows, bf16 table", AddRows{}, {normal({40, 2304}), normal({7, 2304}).of(DType::bf16), few}),
      OpCase("a scan", ScatterAddRows{1176}, {normal({1176, 768}), integers_below(DType::i32, {1176}, 1176)})
          .timed(8 * rows, rows),
      OpCase("i32", AddRows{}, {normal({6, 20}), normal({9, 20}), index}),
      OpCase("i64", AddRows{}, {normal({6, 33}), normal({9, 33}), wide_index}),
      OpCase("f32 table", AddRows{}, {normal({6, 20}), normal({9, 20}).of(DType::f32), index}),
      OpCase("bf16 table", AddRows{}, {normal({6, 20}), normal({9, 20}).of(DType::bf16), index}),
      OpCase("no rows", AddRows{}, {normal({0, 20}), normal({9, 20}), nothing}),
      OpCase("a scan", AddRows{}, {normal({1176, 768}), normal({1176, 768}), integers_below(DType::i32, {1176}, 1176)})
          .timed(12 * rows, rows),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
