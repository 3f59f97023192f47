// SPDX-License-Identifier: Apache-2.0
// What is saved is read: all types, shapes and sizes, strided boxes and ranges; and the store's steps.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "io/checkpoint/checkpoint.hpp"
#include "io/hdf5/file.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/numbered_state.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::expect_filled;
using fixtures::message_of;
using fixtures::zeroed;

class Checkpoints : public testing::Test {
 protected:
  std::string folder() const { return scratch_.file("checkpoints"); }
  std::unique_ptr<CheckpointStore> store() { return open_checkpoints(folder(), *local_); }
  std::string path(std::int64_t step) const { return folder() + "/" + checkpoint_file(step); }

  fixtures::ScratchFolder scratch_;
  fixtures::ReferenceDevice device_;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
};

StateDict every_kind() {
  StateDict state;
  for (const auto dtype : {DType::f32, DType::bf16, DType::f64, DType::i32, DType::i64, DType::u8, DType::i16}) {
    const std::string name(name_of(dtype));
    state.add(name + ".matrix", zeroed(dtype, {3, 5}));
    state.add(name + ".scalar", zeroed(dtype, {}));
    state.add(name + ".none", zeroed(dtype, {4, 0, 3}));
    state.add(name + ".deep", zeroed(dtype, {2, 1, 3, 2, 1, 5}));
  }
  state.add("large", zeroed(DType::f32, {3, 700'001}));         // three parts, the last one short
  state.add("exact", zeroed(DType::i64, {2, (4 << 20) / 16}));  // one part exactly
  state.add("name with blanks, ümlauts 'and' \"quotes\"", zeroed(DType::f32, {2}));
  return state;
}

StateDict like(const StateDict& state) {
  StateDict copy;
  for (const auto& entry : state) {
    StateEntry other = entry;
    other.value = zeroed(entry.value.dtype(), entry.value.shape());
    copy.add(std::move(other));
  }
  return copy;
}

TEST_F(Checkpoints, GiveBackEveryTypeAndShape) {
  const StateDict state = every_kind();
  fixtures::fill(state);
  const CheckpointTexts texts{{"config.yaml", "a: 1\nb: [2]\n"}, {"facts.json", "{}"}, {"none.txt", ""}};
  store()->save(device_.ctx, 123, state, texts);
  const auto stored = store()->open(123);
  EXPECT_EQ(stored->step(), 123);
  EXPECT_EQ(stored->texts(), texts);
  EXPECT_EQ(stored->path(), path(123));
  ASSERT_EQ(stored->tensors().size(), state.size());
  for (const auto& tensor : stored->tensors()) {
    const auto* entry = state.find(tensor.name);
    ASSERT_NE(entry, nullptr) << tensor.name;
    EXPECT_EQ(tensor.dtype, entry->value.dtype());
    EXPECT_EQ(tensor.shape, entry->value.shape());
  }
  const StateDict back = like(state);
  stored->read(device_.ctx, back);
  expect_filled(back);
}

TEST_F(Checkpoints, OfNothingIsOne) {
  store()->save(device_.ctx, 0, {}, {});
  const auto stored = store()->open(0);
  EXPECT_TRUE(stored->tensors().empty());
  EXPECT_TRUE(stored->texts().empty());
  stored->read(device_.ctx, {});
}

TEST_F(Checkpoints, ReadIntoBoxesAndRangesOfWhatWasWhole) {
  const std::vector<LogicalAxis> axes{{"qkv", 3}, {"heads", 4}, {"head_width", 5}, {"embed", 7}};
  StateDict state;
  state.add("weight", zeroed(DType::f32, {60, 7}), Placement::whole(axes));
  state.add("untouched", zeroed(DType::f64, {3}));
  fixtures::fill(state);
  store()->save(device_.ctx, 1, state, {});
  const auto stored = store()->open(1);
  const Placement whole = Placement::whole(axes);
  for (const auto& box : {whole.shard("heads", 1, 4), whole.shard("heads", 1, 2).shard("head_width", 4, 5), whole,
                          whole.shard("embed", 6, 7), whole.shard("qkv", 2, 3).shard("embed", 0, 7)}) {
    for (const std::int64_t begin : {std::int64_t{0}, box.numel() / 3}) {
      const std::int64_t end = box.numel() - begin / 2;
      StateDict part;
      part.add({.name = "weight",
                .value = zeroed(DType::f32, {end - begin}),
                .placement = box,
                .global = Shape{60, 7},
                .begin = begin,
                .end = end});
      stored->read(device_.ctx, part);
      expect_filled(part);
    }
  }
}

TEST_F(Checkpoints, AreOpenToHdf5) {
  const StateDict state = every_kind();
  fixtures::fill(state);
  store()->save(device_.ctx, 7, state, {{"note", "hello"}});
  const auto file = hdf5::File::open(path(7));
  EXPECT_EQ(file.read_integer("/", "step"), 7);
  EXPECT_EQ(file.read_texts("/texts/note", 1, 100).front(), "hello");
  EXPECT_EQ(file.read_text("/state/bf16.matrix", "dtype", 16), "bf16");
  const auto matrix = file.read<float>("/state/f32.matrix", {3, 5});
  EXPECT_EQ(std::memcmp(matrix.data(), state.at("f32.matrix").raw(), 60), 0);
  const auto large = file.read<float>("/state/large", {3, 700'001});
  EXPECT_EQ(std::memcmp(large.data(), state.at("large").raw(), state.at("large").bytes()), 0);
}

TEST_F(Checkpoints, OfManyTensorsKeepTheirTablesInFront) {
  StateDict state;
  for (int i = 0; i < 3000; ++i)
    state.add("module." + std::to_string(i) + "." + std::string(static_cast<std::size_t>(i % 97), 'x') + ".weight",
              zeroed(DType::f32, {i % 11, 3}));
  fixtures::fill(state);
  store()->save(device_.ctx, 5, state, {{"vocab.txt", std::string(300'000, 'w')}});
  const auto stored = store()->open(5);
  EXPECT_EQ(stored->texts().at("vocab.txt").size(), 300'000U);
  const StateDict back = like(state);
  stored->read(device_.ctx, back);
  expect_filled(back);
}

TEST_F(Checkpoints, AreTheSameBytesAndReplaceAnOlderOne) {
  StateDict state = every_kind();
  store()->save(device_.ctx, 2, state, {});
  const std::string zeros = fixtures::read_all(path(2));
  fixtures::fill(state);
  store()->save(device_.ctx, 2, state, {});
  const std::string first = fixtures::read_all(path(2));
  EXPECT_NE(first, zeros);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's times have seconds
  store()->save(device_.ctx, 2, state, {});
  EXPECT_TRUE(fixtures::read_all(path(2)) == first);
}

TEST_F(Checkpoints, StridedAndOverwrittenMemory) {
  const Tensor matrix = zeroed(DType::f32, {4, 6});
  for (int i = 0; i < 24; ++i) matrix.data<float>()[i] = static_cast<float>(i);
  StateDict state;
  state.add("t", matrix.transpose(0, 1));
  store()->save(device_.ctx, 1, state, {});
  StateDict back;
  back.add("t", zeroed(DType::f32, {6, 4}));
  const auto version = back.at("t").storage()->version();
  store()->open(1)->read(device_.ctx, back);
  EXPECT_EQ(back.at("t").data<float>()[1], 6.0f);
  EXPECT_GT(back.at("t").storage()->version(), version);  // whoever packed the old contents sees it
}

TEST_F(Checkpoints, TheStoreKnowsItsSteps) {
  const auto checkpoints = store();
  EXPECT_TRUE(checkpoints->steps().empty());
  for (const std::int64_t step : {std::int64_t{20}, std::int64_t{3}, std::int64_t{1'000'000'000'000}})
    checkpoints->save(device_.ctx, step, {}, {});
  for (const std::string other : {"step-12.h5", "step-000000012.h5.tmp", "step-00000001x.h5", "notes.txt"})
    fixtures::write_all(folder() + "/" + other, "x");
  fixtures::write_all(folder() + "/.step-000000004.h5.tmp", "left by a killed save");
  EXPECT_EQ(checkpoints->steps(), (std::vector<std::int64_t>{3, 20, 1'000'000'000'000}));
  checkpoints->remove(3);
  EXPECT_EQ(checkpoints->steps(), (std::vector<std::int64_t>{20, 1'000'000'000'000}));
  checkpoints->save(device_.ctx, 21, {}, {});
  EXPECT_FALSE(std::filesystem::exists(folder() + "/.step-000000004.h5.tmp"));
  EXPECT_TRUE(std::filesystem::exists(folder() + "/notes.txt"));
  EXPECT_NE(message_of([&] { checkpoints->open(4); }, ErrorKind::checkpoint)
                .find("has no checkpoint of step 4: it has those of steps 20, 21, 1000000000000"),
            std::string::npos);
}

TEST_F(Checkpoints, WhatDoesNotFitIsNamedAndNothingIsWritten) {
  StateDict state;
  state.add("a.weight", zeroed(DType::f32, {2, 3}));
  state.add("b.weight", zeroed(DType::f32, {4}));
  fixtures::fill(state);
  store()->save(device_.ctx, 1, state, {});
  const auto stored = store()->open(1);
  const auto refused = [&](const std::string& name, DType dtype, const Shape& shape) {
    StateDict into;
    into.add("b.weight", zeroed(DType::f32, {4}));
    into.add(name, zeroed(dtype, shape));
    const std::string said = message_of([&] { stored->read(device_.ctx, into); }, ErrorKind::checkpoint);
    EXPECT_EQ(into.at("b.weight").data<float>()[0], 0.0f);
    return said;
  };
  EXPECT_NE(refused("a.weights", DType::f32, {2, 3}).find("holds no 'a.weights': the nearest it has is 'a.weight'"),
            std::string::npos);
  EXPECT_NE(refused("a.weight", DType::f32, {3, 2}).find("'a.weight' is f32[2, 3], wanted is f32[3, 2]"),
            std::string::npos);
  EXPECT_NE(refused("a.weight", DType::f64, {2, 3}).find("wanted is f64[2, 3]"), std::string::npos);
}

TEST_F(Checkpoints, WhatCannotBeStoredIsRefused) {
  const auto refused = [&](const StateDict& state, const CheckpointTexts& texts) {
    const std::string said = message_of([&] { store()->save(device_.ctx, 1, state, texts); }, ErrorKind::usage);
    EXPECT_TRUE(store()->steps().empty());
    return said;
  };
  for (const auto& name :
       {std::string(), std::string("a/b"), std::string("."), std::string(2000, 'x'), std::string("a\0b", 3)}) {
    StateDict state;
    state.add(name, zeroed(DType::f32, {1}));
    EXPECT_NE(refused(state, {}).find("cannot be the name of a tensor"), std::string::npos) << name;
  }
  EXPECT_NE(refused({}, {{"a/b", ""}}).find("cannot be the name of a text"), std::string::npos);
  EXPECT_NE(refused({}, {{"a", std::string("x\0y", 3)}}).find("holds a zero"), std::string::npos);
  StateDict half;
  half.add({.name = "x",
            .value = zeroed(DType::f32, {2, 3}),
            .placement = Placement::whole({{"rows", 4}, {"embed", 3}}).shard("rows", 0, 2),
            .global = Shape{4, 3}});
  EXPECT_NE(refused(half, {}).find("the ranks hold 6 elements of 'x', which has 12"), std::string::npos);
}

}  // namespace
}  // namespace strata::io
