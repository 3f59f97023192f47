// SPDX-License-Identifier: Apache-2.0
#include "parallel/mesh/build.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "strata/base/error.hpp"
#include "tests/support/ranks.hpp"

namespace strata::comm {
namespace {

std::vector<std::int64_t> members(Communicator& group, int world_rank) {
  std::int64_t mine = world_rank;
  std::vector<std::int64_t> all(static_cast<std::size_t>(group.size()));
  group.all_gather(Tensor::borrow(&mine, DType::i64, {1}), Tensor::borrow(all.data(), DType::i64, {group.size()}))
      .wait();
  return all;
}

using Ranks = std::vector<std::int64_t>;

TEST(Mesh, TensorIsInnermost) {
  testing::run_ranks(8, [](Communicator& world) {
    Mesh mesh = build_mesh(world, {.data = 2, .tensor = 4});
    const int first = world.rank() / 4 * 4;
    EXPECT_EQ(members(mesh.group(MeshAxis::tensor), world.rank()), (Ranks{first, first + 1, first + 2, first + 3}));
    EXPECT_EQ(members(mesh.group(MeshAxis::data), world.rank()), (Ranks{world.rank() % 4, world.rank() % 4 + 4}));
    EXPECT_EQ(mesh.group(MeshAxis::pipeline).size(), 1);
    EXPECT_EQ(mesh.group(MeshAxis::tensor).rank(), mesh.place()[MeshAxis::tensor]);
  });
}

TEST(Mesh, ReplicasAreDataTimesStudy) {
  testing::run_ranks(8, [](Communicator& world) {
    Mesh mesh = build_mesh(world, {.data = 2, .study = 2, .tensor = 2});
    const int t = world.rank() % 2;
    EXPECT_EQ(members(mesh.replicas(), world.rank()), (Ranks{t, t + 2, t + 4, t + 6}));
    EXPECT_EQ(members(mesh.group(MeshAxis::study), world.rank()), (Ranks{world.rank() & ~2, world.rank() | 2}));
  });
}

TEST(Mesh, PlaceAndRankAreInverse) {
  const MeshShape shape{.data = 2, .pipeline = 3, .study = 4, .tensor = 5};
  for (int rank = 0; rank < shape.ranks(); ++rank) EXPECT_EQ(rank_of(place_of(rank, shape), shape), rank);
  EXPECT_EQ(place_of(119, shape), (MeshPlace{{1, 2, 3, 4}}));
}

TEST(Mesh, OfOneRank) {
  const auto world = make_local();
  Mesh mesh = build_mesh(*world, {});
  EXPECT_EQ(mesh.replicas().size(), 1);
}

TEST(Mesh, RefusesWhatDoesNotFit) {
  testing::run_ranks(3, [](Communicator& world) {
    for (const MeshShape& shape : {MeshShape{.data = 2}, MeshShape{.data = 3, .tensor = 0}}) {
      try {
        build_mesh(world, shape);
        ADD_FAILURE() << shape.str() << " was accepted for 3 ranks";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
      }
    }
  });
}

}  // namespace
}  // namespace strata::comm
