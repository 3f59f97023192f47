// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/launch.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::cuda {
namespace {

TEST(Launch, CoversItsItemsUpToTheMostBlocks) {
  EXPECT_EQ(over(1), (Launch{1, kThreads}));
  EXPECT_EQ(over(kThreads), (Launch{1, kThreads}));
  EXPECT_EQ(over(kThreads + 1), (Launch{2, kThreads}));
  EXPECT_EQ(over(std::int64_t{1} << 40).blocks, kMostBlocks);
}

TEST(Launch, PacksAre16BytesOfTheWidestTypeWhereEverythingFits) {
  alignas(16) static std::byte memory[64];
  const auto at = [](std::size_t offset, std::int64_t length, std::size_t element) {
    return Operand{memory + offset, length, element};
  };
  EXPECT_EQ(pack_width(std::array{at(0, 8, 4)}), 4);
  EXPECT_EQ(pack_width(std::array{at(0, 8, 2)}), 8);
  EXPECT_EQ(pack_width(std::array{at(0, 8, 2), at(16, 8, 4)}), 4) << "eight bytes of the narrow one";
  EXPECT_EQ(pack_width(std::array{at(8, 8, 2), at(16, 8, 4)}), 4) << "which lie on eight bytes";
  EXPECT_EQ(pack_width(std::array{at(4, 8, 4)}), 1) << "not on 16 bytes";
  EXPECT_EQ(pack_width(std::array{at(0, 6, 4)}), 1) << "not a multiple";
  EXPECT_EQ(pack_width(std::array{at(0, 8, 4), at(0, 2, 4)}), 1) << "a suffix that is not";
}

TEST(Launch, TilesHoldWhatTheirThreadsLoadAtOnce) {
  EXPECT_EQ(over_tiles<4>(1), (Launch{1, kThreads}));
  EXPECT_EQ(over_tiles<4>(4 * kThreads), (Launch{1, kThreads}));
  EXPECT_EQ(over_tiles<4>(4 * kThreads + 1), (Launch{2, kThreads}));
  EXPECT_EQ(over_tiles<1>(std::int64_t{1} << 30).blocks, (1u << 30) / kThreads) << "no item is left to a second turn";
}

template <class N>
void expect_quotients(std::int64_t most) {
  std::vector<std::int64_t> edges;
  for (std::int64_t power = 1;; power *= 2) {
    for (const std::int64_t beside : {power - 1, power, power + 1, power + power / 2, most / power, most - power})
      if (beside > 0 && beside <= most) edges.push_back(beside);
    if (power > most / 2) break;
  }
  for (const std::int64_t by : edges) {
    const Divisor<N> divisor(by);
    const auto expect = [&](std::int64_t n) {
      ASSERT_EQ(divisor.quotient(static_cast<N>(n)), static_cast<N>(n / by)) << n << " / " << by;
    };
    for (const std::int64_t n : edges) {
      expect(n);
      expect(n / by * by);
      if (n >= by) expect(n / by * by - 1);
    }
  }
}

TEST(Divisor, IsTheDivisionOfAllThatFits) {
  expect_quotients<std::uint32_t>((std::int64_t{1} << 30) - 1 + (std::int64_t{1} << 30));
  expect_quotients<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

// Every element of the shape, in row-major order, through a walk of `width` elements a step.
std::vector<std::pair<std::int64_t, std::int64_t>> steps(const Walk& walk, int width = 1) {
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  const Path path(walk);
  for (std::int64_t i = 0; i < walk.numel; ++i) {
    const auto place = path.place(i);
    for (int k = 0; k < width; ++k) found.emplace_back(place.from * width + k, place.to * width + k);
  }
  return found;
}

std::vector<std::pair<std::int64_t, std::int64_t>> by_hand(const Tensor& from, const Tensor& to) {
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  for (std::int64_t i = 0; i < to.dim(0); ++i)
    for (std::int64_t j = 0; j < to.dim(1); ++j)
      for (std::int64_t k = 0; k < to.dim(2); ++k)
        found.emplace_back(i * from.stride(0) + j * from.stride(1) + k * from.stride(2),
                           i * to.stride(0) + j * to.stride(1) + k * to.stride(2));
  return found;
}

TEST(Walk, GoesThroughBothViewsInOrderWithAsFewAxesAsTheyHave) {
  const Tensor dense = host_tensor(DType::f32, {4, 6, 10});
  EXPECT_EQ(walk_of(dense, dense).axes, 1);
  const Tensor part = host_tensor(DType::f32, {4, 6, 12}).slice(2, 1, 11);
  EXPECT_EQ(walk_of(part, dense).axes, 2) << "rows of both follow each other";
  const Tensor turned = host_tensor(DType::f32, {10, 6, 4}).transpose(0, 2);
  EXPECT_EQ(walk_of(turned, dense).axes, 3);
  const Tensor one = host_tensor(DType::f32, {1, 6, 1});
  EXPECT_EQ(walk_of(one, one).axes, 1);
  EXPECT_EQ(walk_of(host_tensor(DType::f32, {1, 1, 1}), host_tensor(DType::f32, {1, 1, 1})).axes, 0);
  for (const auto& [from, to] :
       {std::pair{dense, dense}, {part, dense}, {dense, part}, {turned, dense}, {turned, part}, {one, one}})
    EXPECT_EQ(steps(walk_of(from, to)), by_hand(from, to)) << from.shape().str();
}

TEST(Walk, InPacksMovesWhatLiesSideBySideInBoth) {
  const Tensor dense = host_tensor(DType::bf16, {4, 6, 24});
  const auto part = [](std::int64_t begin, std::int64_t width) {
    return host_tensor(DType::bf16, {4, 6, width}).slice(2, begin, begin + 24);
  };
  EXPECT_EQ(packed_walk_of(part(8, 64), dense).width, 8);
  EXPECT_EQ(packed_walk_of(part(4, 64), dense).width, 4) << "columns begin on eight bytes";
  EXPECT_EQ(packed_walk_of(part(0, 30), dense).width, 2) << "rows do";
  EXPECT_EQ(packed_walk_of(part(1, 64), dense).width, 1);
  EXPECT_EQ(packed_walk_of(host_tensor(DType::bf16, {24, 6, 4}).transpose(0, 2), dense).width, 1) << "turned";
  for (const auto& [begin, width] : {std::pair{8, 64}, {4, 64}, {0, 30}, {1, 64}}) {
    const Tensor from = part(begin, width);
    const auto packed = packed_walk_of(from, dense);
    EXPECT_EQ(steps(packed.walk, packed.width), by_hand(from, dense)) << begin << " of " << width;
  }
}

}  // namespace
}  // namespace strata::cuda
