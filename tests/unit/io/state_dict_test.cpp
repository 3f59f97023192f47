// SPDX-License-Identifier: Apache-2.0
#include "strata/io/state_dict.hpp"

#include <gtest/gtest.h>

#include "strata/io/text.hpp"
#include "strata/runtime/context.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata {
namespace {

using fixtures::expect_error;

TEST(StateDict, KeepsOrderAndViews) {
  StateDict state;
  EXPECT_TRUE(state.empty());
  const Tensor weight = host_tensor(DType::f32, Shape{2, 3});
  state.add("b.weight", weight.transpose(0, 1));
  state.add("a.bias", host_tensor(DType::f64, Shape{3}), Placement::whole({{"embed", 3}}));
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state.entries()[0].name, "b.weight");
  EXPECT_TRUE(state.at("b.weight").same_view(weight.transpose(0, 1)));
  EXPECT_EQ(state.find("a.bias")->placement->axes[0].name, "embed");
  EXPECT_EQ(state.find("a.bia"), nullptr);
}

TEST(StateDict, CopiesShareMemory) {
  StateDict state;
  state.add("x", host_tensor(DType::f32, Shape{1}));
  const StateDict copy = state;
  EXPECT_TRUE(copy.at("x").same_view(state.at("x")));
}

TEST(StateDict, RefusesANameTwiceAndOffersTheNearest) {
  StateDict state;
  state.add("visual.trunk.norm.weight", host_tensor(DType::f32, Shape{1}));
  expect_error([&] { state.add("visual.trunk.norm.weight", host_tensor(DType::f32, Shape{1})); }, ErrorKind::usage,
               "[state dict] the name 'visual.trunk.norm.weight' is added twice");
  EXPECT_EQ(state.size(), 1u);
  expect_error(
      [&] { state.at("visual.trunk.norm.weights"); }, ErrorKind::usage,
      "[state dict] no tensor is called 'visual.trunk.norm.weights' among 1: did you mean 'visual.trunk.norm.weight'?");
  expect_error([&] { state.at("q"); }, ErrorKind::usage, "[state dict] no tensor is called 'q' among 1");
}

TEST(Text, NamesAreFitToPrint) {
  EXPECT_EQ(io::printable("a.b"), "'a.b'");
  EXPECT_EQ(io::printable(std::string("\x1b[2J\0'\\", 7)), "'\\x1b[2J\\x00\\x27\\x5c'");
  EXPECT_EQ(io::printable(std::string(5000, 'x'), 4), "'xxxx...' (5000 bytes)");
  EXPECT_EQ(io::printable("a\xc3\xa4", 2), "'a...' (3 bytes)");  // not half of a two-byte character
}

}  // namespace
}  // namespace strata
