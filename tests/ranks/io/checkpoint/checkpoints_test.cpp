// SPDX-License-Identifier: Apache-2.0
// Checkpoints written and read by several ranks: rows, columns, heads and ranges of one tensor on different ranks, the
// same bytes on any number of them, read by another number, errors on all alike.
#include <gtest/gtest.h>

#include "io/checkpoint/checkpoint.hpp"
#include "parallel/comm/local.hpp"
#include "strata/comm/together.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/numbered_state.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/shared_folder.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;
using fixtures::zeroed;
using testing::run_ranks;
using testing::SharedFolder;

StateEntry part(const std::string& name, const Shape& global, const Placement& box, DType dtype = DType::f32) {
  return {.name = name, .value = zeroed(dtype, box.local_shape(global)), .placement = box, .global = global};
}

// [begin, end) of n elements for one of `ranks`: none divides evenly.
std::pair<std::int64_t, std::int64_t> share_of(std::int64_t n, int rank, int ranks) {
  return {n * rank / ranks, n * (rank + 1) / ranks};
}

// One rank's part of a state that is the same whoever shares it: whole, in rows, in columns, in heads, in ranges, and
// tensors that one rank alone holds.
StateDict state_of(int rank, int ranks) {
  constexpr std::int64_t kAxis = 24;  // divides by 1, 2, 3, 4, 8
  const std::vector<LogicalAxis> matrix{{"rows", kAxis}, {"embed", 50'001}};
  const std::vector<LogicalAxis> wide{{"embed", 7'001}, {"mlp", kAxis * 8}};
  const std::vector<LogicalAxis> qkv{{"qkv", 3}, {"heads", kAxis}, {"head_width", 5}, {"embed", 33}};
  StateDict state;
  state.add("whole", zeroed(DType::f64, {3, 400'000}));
  state.add("placed", zeroed(DType::f32, {5, 4}), Placement::whole({{"a", 5}, {"b", 4}}));
  state.add(part("rows", {kAxis, 50'001}, Placement::whole(matrix).shard("rows", rank, ranks), DType::bf16));
  state.add(part("columns", {7'001, kAxis * 8}, Placement::whole(wide).shard("mlp", rank, ranks)));
  state.add(part("qkv", {3 * kAxis * 5, 33}, Placement::whole(qkv).shard("heads", rank, ranks)));
  const auto [begin, end] = share_of(3'000'001, rank, ranks);
  state.add({.name = "ranges",
             .value = zeroed(DType::f32, {end - begin}),
             .placement = Placement::whole({{"all", 3'000'001}}),
             .global = Shape{3'000'001},
             .begin = begin,
             .end = end});
  for (int i = 0; i < 12; ++i)  // as pipeline stages do
    if (i * ranks / 12 == rank) state.add("stage." + std::to_string(i), zeroed(DType::i64, {i, 1000}));
  state.add("steps", zeroed(DType::i64, {}));
  return state;
}

const CheckpointTexts kTexts{{"config.yaml", "a: 1\n"}, {"vocab.txt", "[PAD]\n[CLS]\n"}};

std::string bytes_by_one_rank() {
  const fixtures::ScratchFolder scratch;
  const fixtures::ReferenceDevice device;
  Context ctx = device.ctx;
  const auto local = comm::make_local();
  const StateDict state = state_of(0, 1);
  fixtures::fill(state);
  open_checkpoints(scratch.path().string(), *local)->save(ctx, 42, state, kTexts);
  return fixtures::read_all(scratch.file(checkpoint_file(42)));
}

void save(comm::Communicator& world, const std::string& folder) {
  const fixtures::ReferenceDevice device;
  Context ctx = device.ctx;
  const StateDict state = state_of(world.rank(), world.size());
  fixtures::fill(state);
  open_checkpoints(folder, world)->save(ctx, 42, state, kTexts);
}

TEST(Checkpoints, AreTheSameBytesOnAnyNumberOfRanks) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    save(world, folder.path());
    if (world.rank() != 0) return;
    EXPECT_TRUE(fixtures::read_all(folder.file(checkpoint_file(42))) == bytes_by_one_rank());
  });
}

void read_all_of_it(comm::Communicator& world, const std::string& folder) {
  const fixtures::ReferenceDevice device;
  Context ctx = device.ctx;
  const auto stored = open_checkpoints(folder, world)->open(42);
  EXPECT_EQ(stored->texts(), kTexts);
  EXPECT_EQ(stored->tensors().size(), 19U);
  const StateDict into = state_of(world.rank(), world.size());
  stored->read(ctx, into);
  fixtures::expect_filled(into);
}

TEST(Checkpoints, AreReadByAnotherNumberOfRanks) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    for (const int writers : {1, 3, world.size()}) {
      if (writers > world.size()) continue;
      const auto some = world.split(world.rank() < writers ? 0 : -1, world.rank());
      if (some) save(*some, folder.path());
      world.barrier().wait();
      for (int readers = 1; readers <= world.size(); readers *= 2) {
        const auto group = world.split(world.rank() < readers ? 0 : -1, world.rank());
        if (group) read_all_of_it(*group, folder.path());
      }
    }
  });
}

TEST(Checkpoints, ARankMayWantNothing) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    save(world, folder.path());
    const fixtures::ReferenceDevice device;
    Context ctx = device.ctx;
    StateDict into;
    if (world.rank() == world.size() - 1) into.add("stage.11", zeroed(DType::i64, {11, 1000}));
    open_checkpoints(folder.path(), world)->open(42)->read(ctx, into);
    fixtures::expect_filled(into);
  });
}

TEST(Checkpoints, DamageIsTheSameErrorOnAllRanks) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    save(world, folder.path());
    if (world.rank() == 0) {
      std::string bytes = fixtures::read_all(folder.file(checkpoint_file(42)));
      bytes[bytes.size() / 2] ^= 1;
      fixtures::write_all(folder.file(checkpoint_file(42)), bytes);
    }
    world.barrier().wait();
    const fixtures::ReferenceDevice device;
    Context ctx = device.ctx;
    const auto stored = open_checkpoint(folder.file(checkpoint_file(42)), world);
    const StateDict into = state_of(world.rank(), world.size());
    const auto said = message_of([&] { stored->read(ctx, into); }, ErrorKind::checkpoint);
    EXPECT_NE(said.find("is damaged: the checksum of its elements"), std::string::npos) << said;
    EXPECT_EQ(stored->damaged_tensors().size(), 1U);
  });
}

TEST(Checkpoints, AStateThatDoesNotFitTogetherIsRefusedOnAllRanks) {
  run_ranks([](comm::Communicator& world) {
    if (world.size() == 1) return;
    const SharedFolder folder(world);
    const fixtures::ReferenceDevice device;
    Context ctx = device.ctx;
    const auto store = open_checkpoints(folder.path(), world);
    const auto refused = [&](const StateDict& state) {
      const auto said = message_of([&] { store->save(ctx, 1, state, {}); }, ErrorKind::usage);
      EXPECT_TRUE(store->steps().empty());
      return said;
    };
    StateDict shapes;
    shapes.add("x", zeroed(DType::f32, {world.rank() == 1 ? 3 : 2}));
    EXPECT_NE(refused(shapes).find("'x' is f32[2] on one rank and f32[3] on another"), std::string::npos);
    const Placement whole = Placement::whole({{"rows", 4}, {"embed", 3}});
    StateDict gap;
    gap.add(part("x", {4, 3}, whole.shard("rows", 0, 2)));
    EXPECT_NE(refused(gap).find("the ranks hold 6 elements of 'x', which has 12"), std::string::npos);
    StateDict overlap;  // as many as there are, but not each once
    Placement box = whole.shard("rows", 0, 2);
    if (world.rank() > 0) box.begin[0] = 1;
    overlap.add(part("x", {4, 3}, box));
    const auto said = refused(overlap);
    EXPECT_NE(said.find("of 'x' is held"), std::string::npos) << said;
  });
}

TEST(Checkpoints, AFolderThatCannotBeMadeIsTheSameErrorOnAllRanks) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    if (world.rank() == 0) fixtures::write_all(folder.file("file"), "x");
    world.barrier().wait();
    const fixtures::ReferenceDevice device;
    Context ctx = device.ctx;
    const auto store = open_checkpoints(folder.file("file/checkpoints"), world);
    const auto said = message_of([&] { store->save(ctx, 1, {}, {}); }, ErrorKind::environment);
    EXPECT_NE(said.find("cannot make"), std::string::npos) << said;
  });
}

}  // namespace
}  // namespace strata::io
