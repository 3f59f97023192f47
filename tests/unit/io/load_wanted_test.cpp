// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "io/safetensors/safetensors.hpp"
#include "strata/runtime/context.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::expect_error;
using fixtures::ScratchFolder;

Tensor filled(const Shape& shape, float value) {
  Tensor tensor = host_tensor(DType::f32, shape);
  std::fill_n(tensor.data<float>(), tensor.numel(), value);
  return tensor;
}

class LoadWanted : public testing::Test {
 protected:
  SafetensorsFile written(const StateDict& state) const {
    write_safetensors(path_, state);
    return SafetensorsFile(path_);
  }
  const ScratchFolder folder_;
  const std::string path_ = folder_.file("m.safetensors");
  const std::string not_fit_ = "[safetensors] '" + path_ + "' does not fit the model";
  const std::string hint_ = ": choose the variant the file was trained with, or ignore prefixes that are not wanted";
};

TEST_F(LoadWanted, GivesTheWantedOrderAndNames) {
  StateDict state;
  state.add("module.b", filled({2}, 1));
  state.add("module.a", filled({3}, 2));
  const WantedTensor wanted[] = {{"b", {DType::f32, {2}}}, {"a", {DType::f32, {3}}}};
  const StateDict loaded = load_wanted(written(state), wanted);
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded.entries()[0].name, "b");
  EXPECT_EQ(loaded.at("a").data<float>()[2], 2.0f);
}

TEST_F(LoadWanted, AModelWhoseOwnNamesBeginWithModule) {
  StateDict state;
  state.add("module.module.a", filled({2}, 1));
  const WantedTensor wanted[] = {{"module.a", {DType::f32, {2}}}};
  EXPECT_EQ(load_wanted(written(state), wanted).size(), 1u);
}

TEST_F(LoadWanted, ListsEverythingThatDoesNotFit) {
  StateDict state;
  state.add("norm.weights", filled({4}, 1));
  state.add("head", filled({2, 3}, 1));
  state.add("count", host_tensor(DType::i64, Shape{}));
  state.add("text.embedding", filled({5}, 1));
  const WantedTensor wanted[] = {{"norm.weight", {DType::f32, {4}}},
                                 {"head", {DType::f32, {3, 2}}},
                                 {"count", {DType::f32, Shape{}}},
                                 {"zzzzzz", {DType::bf16, {1}}}};
  expect_error([&] { load_wanted(written(state), wanted); }, ErrorKind::data,
               not_fit_ +
                   "\n  missing (2):"
                   "\n    'norm.weight' f32[4]; the file has 'norm.weights'"
                   "\n    'zzzzzz' bf16[1]"
                   "\n  not wanted (2):"
                   "\n    'norm.weights' F32[4]"
                   "\n    'text.embedding' F32[5]"
                   "\n  of another shape (1):"
                   "\n    'head' is [2, 3] in the file, [3, 2] is wanted"
                   "\n  of another type (1):"
                   "\n    'count' is I64 in the file, f32 is wanted" +
                   hint_);
}

TEST_F(LoadWanted, CountsWhatItDoesNotList) {
  StateDict state;
  state.add("a", filled({1}, 1));
  std::vector<WantedTensor> wanted{{"a", {DType::f32, {1}}}};
  for (const char* name : {"m111", "m222", "m333"}) wanted.push_back({name, {DType::f32, {1}}});
  LoadOptions options;
  options.listed = 1;
  expect_error([&] { load_wanted(written(state), wanted, options); }, ErrorKind::data,
               not_fit_ + "\n  missing (3):\n    'm111' f32[1]\n    and 2 more" + hint_);
}

TEST_F(LoadWanted, IgnoresPrefixesOnlyWhenTold) {
  StateDict state;
  state.add("module.a", filled({1}, 1));
  state.add("module.text.x", filled({1}, 1));
  const WantedTensor wanted[] = {{"a", {DType::f32, {1}}}};
  const SafetensorsFile file = written(state);
  expect_error([&] { load_wanted(file, wanted); }, ErrorKind::data,
               not_fit_ + "\n  not wanted (1):\n    'text.x' F32[1]" + hint_);
  LoadOptions options;
  options.ignore = {"text."};
  EXPECT_EQ(load_wanted(file, wanted, options).size(), 1u);
}

TEST_F(LoadWanted, ConvertsOnlyWhenTold) {
  StateDict state;
  state.add("a", filled({2}, 1.5f));
  const WantedTensor wanted[] = {{"a", {DType::bf16, {2}}}};
  const SafetensorsFile file = written(state);
  expect_error(
      [&] { load_wanted(file, wanted); }, ErrorKind::data,
      not_fit_ +
          "\n  of another type (1):\n    'a' is F32 in the file, bf16 is wanted: ask for conversion (--convert)");
  LoadOptions options;
  options.convert = true;
  EXPECT_EQ(load_wanted(file, wanted, options).at("a").data<BFloat16>()[1].bits, BFloat16(1.5f).bits);
}

TEST_F(LoadWanted, NamesTheFirstNaN) {
  Tensor weight = filled({2, 3}, 1);
  weight.data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  StateDict state;
  state.add("a", filled({1}, 1));
  state.add("head.weight", weight);
  const WantedTensor wanted[] = {{"a", {DType::f32, {1}}}, {"head.weight", {DType::f32, {2, 3}}}};
  const SafetensorsFile file = written(state);
  expect_error([&] { load_wanted(file, wanted); }, ErrorKind::numeric,
               "[safetensors] '" + path_ +
                   "': tensor 'head.weight' is NaN or infinite at [1, 2]: the run that wrote these weights diverged: "
                   "take an earlier checkpoint");
  LoadOptions options;
  options.allow_non_finite = true;
  EXPECT_EQ(load_wanted(file, wanted, options).size(), 2u);
}

TEST_F(LoadWanted, AnEmptyFileMissesEverything) {
  const WantedTensor wanted[] = {{"a", {DType::f32, {1}}}};
  expect_error([&] { load_wanted(written({}), wanted); }, ErrorKind::data,
               not_fit_ + "\n  missing (1):\n    'a' f32[1]" + hint_);
}

}  // namespace
}  // namespace strata::io
