// SPDX-License-Identifier: Apache-2.0
//
// Contrastive losses over ranks equal those of one rank, however the rows are dealt.
#include <gtest/gtest.h>

#include <cmath>

#include "strata/engine/distributed_batch.hpp"
#include "strata/objectives/contrastive.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/support/worlds.hpp"

namespace strata::objectives {
namespace {

constexpr std::int64_t kRows = 13, kWidth = 6;

Tensor features(const Context& ctx, double phase) {
  std::vector<double> values;
  for (int i = 0; i < kRows * kWidth; ++i) values.push_back(std::sin(phase + 1.7 * i) + 0.1 * phase);
  return ctx.tensor(values, {kRows, kWidth});
}

// The last rank gets the most; some may get none.
std::int64_t first_row(int rank, int ranks) {
  return rank == ranks ? kRows : kRows * rank * rank / (static_cast<std::int64_t>(ranks) * ranks);
}

void expect_rows(const Context& ctx, const Tensor& mine, const Tensor& all, std::int64_t first) {
  const auto got = ctx.to_host<double>(mine), expected = ctx.to_host<double>(all);
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[static_cast<std::size_t>(first * kWidth) + i], 1e-13);
}

void expect_same(comm::Communicator& world, Context& ctx, const ContrastiveLoss& mine, const ContrastiveLoss& one,
                 std::int64_t first) {
  engine::DistributedBatch batch(world);
  EXPECT_NEAR(ctx.item(mine.loss), ctx.item(one.loss), 1e-13);
  expect_rows(ctx, mine.image, one.image, first);
  expect_rows(ctx, mine.text, one.text, first);
  EXPECT_NEAR(ctx.item(batch.sum(ctx, mine.logit_scale)), ctx.item(one.logit_scale), 1e-13);
  if (!one.logit_bias.defined()) return;
  EXPECT_NEAR(ctx.item(batch.sum(ctx, mine.logit_bias)), ctx.item(one.logit_bias), 1e-13);
}

TEST(ContrastiveOverRanks, EqualsOneRank) {
  testing::each_world([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    Context& ctx = device.ctx;
    const Tensor image = features(ctx, 0.3), text = features(ctx, 2.1);
    const Tensor scale = device.f64({1.3}, {}), bias = device.f64({-2}, {});
    const std::int64_t first = first_row(world.rank(), world.size()), end = first_row(world.rank() + 1, world.size());
    const Tensor my_image = image.slice(0, first, end), my_text = text.slice(0, first, end);
    GlobalBatch alone;
    engine::DistributedBatch batch(world);
    expect_same(world, ctx, clip_loss(ctx, batch, my_image, my_text, scale, {.block_rows = 4}),
                clip_loss(ctx, alone, image, text, scale), first);
    expect_same(world, ctx, siglip_loss(ctx, batch, my_image, my_text, scale, bias, {.block_rows = 4}),
                siglip_loss(ctx, alone, image, text, scale, bias), first);
  });
}

}  // namespace
}  // namespace strata::objectives
