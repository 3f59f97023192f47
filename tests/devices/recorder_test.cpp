// SPDX-License-Identifier: Apache-2.0
//
// What a device writes down and does when it is told to (strata/runtime/recorder.hpp).
#include "strata/runtime/recorder.hpp"

#include <gtest/gtest.h>

#include "strata/runtime/context.hpp"
#include "tests/devices/device_kernels.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/support/ranks.hpp"

namespace strata {
namespace {

TEST(Recorder, WorkIsDoneWhenItIsLaunchedAndReadsWhatStandsInItsSlots) {
  testing::run_ranks([](comm::Communicator&) {
    const KernelTable kernels = testing::launch().device_kernels();
    const Context ctx(testing::rank_device(), kernels);
    Recorder* recorder = ctx.backend().recorder();
    ASSERT_NE(recorder, nullptr);
    using Values = std::vector<std::int32_t>;
    const Tensor first = ctx.tensor(Values{1, 2, 3, 4}, {4}), second = ctx.tensor(Values{5, 6, 7, 8}, {4});
    recorder->begin();
    auto* slot = static_cast<std::int32_t*>(recorder->copy_from_slot(first.raw(), first.bytes()));
    std::ranges::copy(Values{10, 20, 30, 40}, slot);
    ctx.backend().copy(second.raw(), second.device(), first.raw(), first.device(), first.bytes(), {});
    fixtures::message_of([&] { ctx.synchronise(); }, ErrorKind::environment);
    const auto work = recorder->end();
    EXPECT_EQ(ctx.to_host<std::int32_t>(second), (Values{5, 6, 7, 8})) << "nothing is done yet";
    recorder->launch(*work);
    EXPECT_EQ(ctx.to_host<std::int32_t>(second), (Values{10, 20, 30, 40}));
    slot[2] = -1;
    recorder->launch(*work);
    EXPECT_EQ(ctx.to_host<std::int32_t>(second), (Values{10, 20, -1, 40}));
  });
}

TEST(Recorder, BlocksAreClaimedAllOrNone) {
  testing::run_ranks([](comm::Communicator&) {
    const KernelTable kernels = testing::launch().device_kernels();
    const Context ctx(testing::rank_device(), kernels);
    Recorder& recorder = *ctx.backend().recorder();
    std::vector<Block> seen;
    recorder.watch(&seen);
    Tensor a = ctx.empty(DType::f32, {1000}), b = ctx.empty(DType::f32, {5000});
    const Context beside = ctx.on(ctx.backend().make_stream());
    const Tensor other = beside.empty(DType::f32, {1000});
    recorder.watch(nullptr);
    ASSERT_EQ(seen.size(), 2u) << "of the default stream alone";
    EXPECT_FALSE(recorder.claim(seen, MemoryKind::work)) << "they are in use";
    b = Tensor();
    EXPECT_FALSE(recorder.claim(seen, MemoryKind::work)) << "one of them is";
    a = Tensor();
    const auto before = ctx.backend().memory();
    ASSERT_TRUE(recorder.claim(seen, MemoryKind::work));
    EXPECT_FALSE(recorder.claim(seen, MemoryKind::work)) << "somebody has them";
    EXPECT_NE(ctx.empty(DType::f32, {1000}).raw(), seen[0].data);
    EXPECT_GT(ctx.backend().memory().in_use, before.in_use);
    recorder.unclaim(seen, MemoryKind::work);
    EXPECT_EQ(ctx.backend().memory().in_use, before.in_use);
    ASSERT_TRUE(recorder.claim(seen, MemoryKind::work));
    recorder.unclaim(seen, MemoryKind::work);
  });
}

}  // namespace
}  // namespace strata
