// SPDX-License-Identifier: Apache-2.0
//
// What a rank refuses by itself, before anything moves.
#include "strata/comm/call.hpp"

#include <gtest/gtest.h>

#include <array>

#include "strata/base/error.hpp"
#include "strata/comm/communicator.hpp"
#include "strata/runtime/context.hpp"

namespace strata::comm {
namespace {

Tensor f32(const Shape& shape) { return host_tensor(DType::f32, shape); }

void expect_refused(Call call, int rank, int size, std::string_view words) {
  try {
    check_call(call, rank, size);
    ADD_FAILURE() << call.str() << " was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string_view(error.what()).find(words), std::string_view::npos) << error.what();
  }
}

TEST(Call, UndefinedAndStridedTensors) {
  expect_refused({.kind = CallKind::all_reduce, .input = f32({2})}, 0, 2, "output is undefined");
  expect_refused({.kind = CallKind::broadcast, .input = f32({2, 3}).transpose(0, 1), .output = f32({3, 2})}, 0, 2,
                 "strided");
}

TEST(Call, ShapesAndTypesThatDiffer) {
  expect_refused({.kind = CallKind::all_reduce, .input = f32({2}), .output = f32({3})}, 0, 2,
                 "[all_reduce] the input is f32[2], the output f32[3]");
  expect_refused({.kind = CallKind::all_reduce, .input = f32({2}), .output = host_tensor(DType::bf16, {2})}, 0, 2,
                 "bf16[2]");
  expect_refused({.kind = CallKind::all_gather, .input = f32({2, 3}), .output = f32({4, 4})}, 0, 2,
                 "do not have the same rows");
  expect_refused({.kind = CallKind::all_gather, .input = f32({}), .output = f32({2})}, 0, 2, "scalars have no rows");
}

TEST(Call, RowsThatDoNotAddUp) {
  expect_refused({.kind = CallKind::all_gather, .input = f32({2}), .output = f32({5})}, 0, 2,
                 "5 rows do not make 2 equal parts of 2 rows");
  expect_refused({.kind = CallKind::reduce_scatter, .input = f32({5}), .output = f32({2})}, 0, 2, "pass counts");
  expect_refused({.kind = CallKind::all_gather, .input = f32({2}), .output = f32({5}), .counts = {2, 2}}, 0, 2,
                 "add up to 4 rows");
  expect_refused({.kind = CallKind::all_gather, .input = f32({2}), .output = f32({5}), .counts = {3, 2}}, 0, 2,
                 "counts give rank 0 3 rows, its tensor has 2");
  expect_refused({.kind = CallKind::all_gather, .input = f32({2}), .output = f32({5}), .counts = {2, 2, 1}}, 0, 2,
                 "3 for 2 ranks");
  expect_refused({.kind = CallKind::all_gather, .input = f32({2}), .output = f32({1}), .counts = {2, -1}}, 0, 2,
                 "negative");
  expect_refused(
      {.kind = CallKind::all_to_all, .input = f32({3}), .output = f32({2}), .counts = {1, 1}, .recv_counts = {1, 1}}, 0,
      2, "send counts (1, 1)");
}

TEST(Call, PeersAndTags) {
  expect_refused({.kind = CallKind::broadcast, .input = f32({2}), .output = f32({2}), .peer = 2}, 0, 2,
                 "root 2 does not exist in a group of 2");
  expect_refused({.kind = CallKind::send, .input = f32({2}), .peer = -1}, 0, 2, "rank -1 does not exist");
  expect_refused({.kind = CallKind::send, .input = f32({2}), .peer = 1}, 1, 2, "exchanges with itself");
  expect_refused({.kind = CallKind::recv, .output = f32({2}), .peer = 1, .tag = kMaxTag + 1}, 0, 2, "tag 32001");
}

TEST(Call, OverlapIsAllowedOnlyInPlace) {
  const Tensor buffer = f32({6});
  expect_refused({.kind = CallKind::all_reduce, .input = buffer.slice(0, 0, 4), .output = buffer.slice(0, 1, 5)}, 0, 2,
                 "overlap");
  expect_refused({.kind = CallKind::all_gather, .input = buffer.slice(0, 0, 3), .output = buffer}, 1, 2,
                 "not as this rank's rows");
  expect_refused(
      {.kind = CallKind::all_to_all, .input = buffer, .output = buffer, .counts = {3, 3}, .recv_counts = {3, 3}}, 0, 2,
      "overlap");
  Call in_place{.kind = CallKind::all_gather, .input = buffer.slice(0, 3, 6), .output = buffer};
  EXPECT_NO_THROW(check_call(in_place, 1, 2));
  EXPECT_EQ(in_place.counts, (Counts{3, 3})) << "equal parts are filled in";
}

TEST(Call, DisagreementNamesRanksAndCalls) {
  const Call sum{.kind = CallKind::all_reduce, .input = f32({4}), .output = f32({4})};
  const Call other{.kind = CallKind::all_reduce, .input = f32({5}), .output = f32({5})};
  EXPECT_EQ(disagreement(std::array{sum, sum}), "");
  EXPECT_EQ(
      disagreement(std::array{sum, other, sum}),
      "the ranks do not call the same: ranks 0, 2 called all_reduce sum f32[4]; rank 1 called all_reduce sum f32[5]");
}

TEST(Call, DisagreementOfAllToAllIsFoundPairByPair) {
  const Call a{
      .kind = CallKind::all_to_all, .input = f32({3}), .output = f32({2}), .counts = {1, 2}, .recv_counts = {1, 1}};
  const Call b{
      .kind = CallKind::all_to_all, .input = f32({1}), .output = f32({1}), .counts = {1, 0}, .recv_counts = {1, 0}};
  EXPECT_EQ(disagreement(std::array{a, b}), "in all_to_all rank 0 sends 2 rows to rank 1, which expects 1");
}

}  // namespace
}  // namespace strata::comm
