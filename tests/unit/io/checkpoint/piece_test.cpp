// SPDX-License-Identifier: Apache-2.0
// Pieces against a plain enumeration of their elements.
#include "io/checkpoint/piece.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/numbered_state.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;

StateEntry entry_of(const Placement& box, std::int64_t begin = 0, std::int64_t end = -1) {
  std::int64_t all = 1;
  for (const auto& axis : box.axes) all *= axis.size;
  const std::int64_t last = end < 0 ? box.numel() : end;
  return {.name = "x",
          .value = host_tensor(DType::u8, {last - begin}),
          .placement = box,
          .global = Shape{all},
          .begin = begin,
          .end = end};
}

// Every run within [first, last), as (global, local) pairs.
std::vector<std::pair<std::int64_t, std::int64_t>> walked(const Piece& piece, std::int64_t first, std::int64_t last) {
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  piece.runs(first, last, [&](std::int64_t global, std::int64_t local, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) pairs.emplace_back(global + i, local + i);
  });
  return pairs;
}

void expect_as_enumerated(const StateEntry& entry, std::int64_t first, std::int64_t last) {
  std::vector<std::pair<std::int64_t, std::int64_t>> expected;
  const auto numbers = fixtures::numbers_of(entry);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] >= first && numbers[i] < last) expected.emplace_back(numbers[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(walked(Piece(entry), first, last), expected);
}

TEST(Piece, WalksTheElementsOfItsBoxInOrder) {
  std::mt19937 random(7);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  for (int round = 0; round < 3000; ++round) {
    Placement box;
    for (auto axes = draw(0, 5); axes > 0; --axes) {
      const auto size = draw(1, 5), begin = draw(0, size - 1);
      box.axes.push_back({"axis", size});
      box.begin.push_back(begin);
      box.extent.push_back(draw(0, 12) == 0 ? 0 : draw(1, size - begin));
    }
    const auto begin = draw(0, box.numel()), end = draw(begin, box.numel());
    const auto first = draw(0, 40), last = draw(first, 200);
    SCOPED_TRACE(round);
    expect_as_enumerated(entry_of(box), first, last);
    expect_as_enumerated(entry_of(box, begin, end), first, last);
    expect_as_enumerated(entry_of(box, begin, end), 0, 5 * 5 * 5 * 5 * 5);
  }
}

TEST(Piece, EqualElementsAreEqualPieces) {
  const Placement whole = Placement::whole({{"qkv", 3}, {"heads", 4}, {"embed", 8}});
  EXPECT_EQ(Piece(entry_of(whole)), Piece(entry_of(Placement::whole({{"all", 96}}))));
  const Placement rows = Placement::whole({{"rows", 12}, {"embed", 8}});
  EXPECT_EQ(Piece(entry_of(rows.shard("rows", 1, 3))), Piece(entry_of(whole, 32, 64)));
  EXPECT_FALSE(Piece(entry_of(rows.shard("rows", 1, 3))) == Piece(entry_of(rows.shard("rows", 2, 3))));
}

TEST(Piece, RefusesWhatDoesNotFit) {
  const auto refused = [](StateEntry entry) { return message_of([&] { Piece{entry}; }, ErrorKind::usage); };
  const Placement half = Placement::whole({{"rows", 4}, {"embed", 6}}).shard("rows", 0, 2);
  StateEntry entry = entry_of(half);
  entry.global = {};
  EXPECT_NE(refused(entry).find("needs the shape of the whole"), std::string::npos);
  entry.global = Shape{5, 5};
  EXPECT_NE(refused(entry).find("axes hold 24 elements, its shape [5, 5] holds 25"), std::string::npos);
  entry.global = Shape{4, 6};
  entry.value = host_tensor(DType::u8, {11});
  EXPECT_NE(refused(entry).find("11 elements cannot be [0, 12) of a box of 12"), std::string::npos);
  entry.end = 13;
  EXPECT_NE(refused(entry).find("[0, 13)"), std::string::npos);
  entry = entry_of(half);
  entry.placement->begin[0] = 3;
  EXPECT_NE(refused(entry).find("[3, 5) is no part of axis 'rows' of 4"), std::string::npos);
}

}  // namespace
}  // namespace strata::io
