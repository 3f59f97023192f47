// SPDX-License-Identifier: Apache-2.0
//
// Which transport serves device tensors, and the staged one, on a device that is only said to be one.
#include "parallel/comm/device_world.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "parallel/comm/local.hpp"
#include "parallel/comm/nccl.hpp"
#include "parallel/comm/thread.hpp"
#include "parallel/comm/wrapper.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata::comm {
namespace {

// Host memory under another name.
class SaidDevice final : public Backend {
 public:
  explicit SaidDevice(int index) : index_(index) {}

  std::string_view name() const override { return "said"; }
  Device device() const override { return {DeviceKind::cuda, index_}; }
  MemoryReport memory() const override { return host_->memory(); }
  void reset_peak() override { host_->reset_peak(); }
  void* allocate(std::size_t bytes, const Stream& stream, MemoryKind kind) override {
    return host_->allocate(bytes, stream, kind);
  }
  void free(void* data, std::size_t bytes, const Stream& stream, MemoryKind kind) noexcept override {
    host_->free(data, bytes, stream, kind);
  }
  void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept override { host_->relabel(bytes, from, to); }
  void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
            const Stream& stream) override {
    EXPECT_TRUE(to_device == device() || from_device == device());
    host_->copy(to, {}, from, {}, bytes, stream);
  }
  using Backend::make_stream;
  Stream make_stream(StreamPriority priority) override { return host_->make_stream(priority); }
  Event record(const Stream& stream) override { return host_->record(stream); }
  void wait(const Stream& stream, const Event& event) override { host_->wait(stream, event); }
  void synchronise(const Stream& stream) override { host_->synchronise(stream); }

 private:
  int index_;
  std::shared_ptr<Backend> host_ = make_host_backend("host under the device");
};

struct Place {
  explicit Place(int index) : backend(std::make_shared<SaidDevice>(index)), ctx(backend, table) {}
  Tensor filled(float value, std::size_t count) const {
    return ctx.tensor(std::vector<float>(count, value), {static_cast<std::int64_t>(count)});
  }

  KernelTable table{"none"};
  std::shared_ptr<Backend> backend;
  Context ctx;
};

TEST(DeviceWorld, IsTheWorldWhereTensorsLieOnTheHost) {
  const auto world = make_local();
  EXPECT_EQ(make_device_world(*world, make_host_backend("host"), DeviceTransport::automatic).get(), world.get());
}

TEST(DeviceWorld, OfOneRankTakesBothKindsOfTensors) {
  const auto world = make_local();
  const Place place(3);
  const auto devices = make_device_world(*world, place.backend, DeviceTransport::automatic);
  EXPECT_EQ(devices->transport(), "local");
  const Tensor in = place.filled(4, 3), out = place.filled(0, 3);
  devices->all_reduce(in, out).wait();
  EXPECT_EQ(place.ctx.to_host<float>(out), std::vector<float>(3, 4.0F));
  std::int64_t one = 1, got = 0;
  devices->all_gather(Tensor::borrow(&one, DType::i64, {1}), Tensor::borrow(&got, DType::i64, {1})).wait();
  EXPECT_EQ(got, 1);
  EXPECT_FALSE(devices->serves({DeviceKind::cuda, 1}));
}

TEST(DeviceWorld, WithoutNcclRanksExchangeThroughTheHost) {
  if (nccl_is_built()) GTEST_SKIP() << "this build has NCCL";
  run_thread_ranks_or_throw(3, [](Communicator& world) {
    const Place place(world.rank());
    EXPECT_EQ(make_device_world(world, place.backend, DeviceTransport::automatic)->transport(), "staged");
    try {
      make_device_world(world, place.backend, DeviceTransport::nccl);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::environment);
    }
  });
}

TEST(Staged, ResultsComeBackWithTheEvent) {
  run_thread_ranks_or_throw(3, [](Communicator& world) {
    const Place place(world.rank());
    const auto staged = make_device_world(world, place.backend, DeviceTransport::staged);
    EXPECT_EQ(staged->transport(), "staged");
    const Tensor x = place.filled(static_cast<float>(world.rank()), 4), y = place.filled(7, 4);
    const Event event = staged->all_reduce(x, y);
    EXPECT_EQ(place.ctx.to_host<float>(y), std::vector<float>(4, 7.0F)) << "before anybody asked";
    event.wait();
    EXPECT_EQ(place.ctx.to_host<float>(y), std::vector<float>(4, 3.0F));
    const auto group = staged->split(world.rank() % 2, 0);
    group->all_reduce(y).wait();
    EXPECT_EQ(place.ctx.to_host<float>(y), std::vector<float>(4, 3.0F * static_cast<float>(group->size())));
    staged->broadcast(x, 1).wait();
    EXPECT_EQ(place.ctx.to_host<float>(x), std::vector<float>(4, 1.0F));
  });
}

TEST(Staged, UsesTheMemoryItIsGivenAndGivesItBack) {
  std::atomic<int> taken{0}, given{0};
  run_thread_ranks_or_throw(2, [&](Communicator& world) {
    const StagingMemory memory{[&](std::size_t bytes) {
                                 ++taken;
                                 return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
                               },
                               [&](void* data) {
                                 ++given;
                                 std::free(data);
                               }};
    const Place place(world.rank());
    const auto staged = make_device_world(world, place.backend, DeviceTransport::staged, memory);
    const Tensor x = place.filled(1, 1000);
    for (int i = 0; i < 5; ++i) staged->all_reduce(x).wait();
    EXPECT_EQ(place.ctx.to_host<float>(x), std::vector<float>(1000, 32.0F));
  });
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 10) << "nothing was kept for the next call";
  EXPECT_EQ(taken, given);
}

}  // namespace
}  // namespace strata::comm
