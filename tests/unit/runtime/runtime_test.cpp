// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "backends/reference/reference.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/softmax.hpp"
#include "strata/runtime/caching_allocator.hpp"
#include "strata/runtime/context.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata {
namespace {

// A system of limited memory.
struct System {
  std::size_t left = 4096;
  int taken = 0, given = 0;
  CachingAllocator::Take take() {
    return [this](std::size_t bytes) -> void* {
      if (bytes > left) return nullptr;
      left -= bytes;
      ++taken;
      return std::malloc(bytes);
    };
  }
  CachingAllocator::Give give() {
    return [this](void* data, std::size_t bytes) {
      left += bytes;
      ++given;
      std::free(data);
    };
  }
};

TEST(CachingAllocator, SizeClassesWasteAnEighthAtMost) {
  for (std::size_t bytes = 257; bytes < 100000; bytes = bytes * 9 / 8 + 1) {
    const auto rounded = CachingAllocator::size_class(bytes);
    EXPECT_GE(rounded, bytes);
    EXPECT_LE(static_cast<double>(rounded), 1.125 * static_cast<double>(bytes));
    EXPECT_EQ(CachingAllocator::size_class(rounded), rounded);
  }
  EXPECT_EQ(CachingAllocator::size_class(0), 256u);
}

TEST(CachingAllocator, ReusesFreedBlocksAndCounts) {
  System system;
  CachingAllocator allocator(system.take(), system.give(), true);
  void* a = allocator.allocate(1000);
  allocator.free(a, 1000);
  EXPECT_EQ(allocator.allocate(1010), a) << "the same size class";
  const auto rounded = static_cast<std::int64_t>(CachingAllocator::size_class(1000));
  const MemoryReport report = allocator.report();
  EXPECT_EQ(report.allocations, 2);
  EXPECT_EQ(report.reused, 1);
  EXPECT_EQ(report.in_use, rounded);
  EXPECT_EQ(report.peak, rounded);
  EXPECT_EQ(report.reserved, rounded);
  allocator.free(a, 1010);
  EXPECT_EQ(allocator.report().in_use, 0);
  EXPECT_EQ(allocator.report().reserved, rounded);
  allocator.reset_peak();
  EXPECT_EQ(allocator.report().peak, 0);
  allocator.trim();
  EXPECT_EQ(allocator.report().reserved, 0);
  EXPECT_EQ(system.given, 1);
}

std::int64_t of(const BytesByKind& bytes, MemoryKind kind) { return bytes[static_cast<std::size_t>(kind)]; }

TEST(CachingAllocator, KeepsBooksByKindAndRemembersTheMomentOfThePeak) {
  System system;
  CachingAllocator allocator(system.take(), system.give(), true);
  void* a = allocator.allocate(1024, MemoryKind::parameters);
  void* b = allocator.allocate(512, MemoryKind::work);
  allocator.relabel(512, MemoryKind::work, MemoryKind::gradients);  // after the peak: its snapshot stays
  MemoryReport report = allocator.report();
  EXPECT_EQ(of(report.by_kind, MemoryKind::parameters), 1024);
  EXPECT_EQ(of(report.by_kind, MemoryKind::work), 0);
  EXPECT_EQ(of(report.by_kind, MemoryKind::gradients), 512);
  EXPECT_EQ(of(report.peak_by_kind, MemoryKind::work), 512);
  allocator.free(b, 512, MemoryKind::gradients);
  b = allocator.allocate(256, MemoryKind::activations);  // less than the peak
  report = allocator.report();
  EXPECT_EQ(report.peak, 1536);
  EXPECT_EQ(of(report.peak_by_kind, MemoryKind::activations), 0);
  allocator.reset_peak();
  report = allocator.report();
  EXPECT_EQ(report.peak, 1280);
  EXPECT_EQ(of(report.peak_by_kind, MemoryKind::activations), 256);
  EXPECT_EQ(of(report.peak_by_kind, MemoryKind::work), 0);
  allocator.free(b, 256, MemoryKind::activations);
  allocator.free(a, 1024, MemoryKind::parameters);
  EXPECT_EQ(allocator.report().by_kind, BytesByKind{});
}

TEST(CachingAllocator, EmptiesItsCacheBeforeItGivesUp) {
  System system;
  CachingAllocator allocator(system.take(), system.give(), true);
  allocator.free(allocator.allocate(3000), 3000);
  void* large = allocator.allocate(4000);
  EXPECT_EQ(system.given, 1);
  try {
    allocator.allocate(512);
    FAIL() << "no exception";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(error.message().find("no memory for 512 bytes; 4096 bytes are in use"), std::string::npos)
        << error.what();
  }
  allocator.free(large, 4000);
}

TEST(CachingAllocator, WithoutACacheBlocksGoStraightBack) {
  System system;
  CachingAllocator allocator(system.take(), system.give(), false);
  allocator.free(allocator.allocate(100), 100);
  allocator.free(allocator.allocate(100), 100);
  EXPECT_EQ(system.taken, 2);
  EXPECT_EQ(system.given, 2);
  EXPECT_EQ(allocator.report().reserved, 0);
}

struct Toy {
  static constexpr std::string_view kName = "toy";
  int number = 0;
  bool operator==(const Toy&) const = default;
  std::vector<TensorSpec> infer(Specs inputs) const { return {inputs[0]}; }
};
void toy_kernel(const Toy&, Inputs, Outputs, Context&) {}
bool serves_small(const Toy& op, Specs) { return op.number < 10; }
bool serves_f64(const Toy&, Specs inputs) { return inputs[0].dtype == DType::f64; }

std::string kernel_for(const KernelTable& table, int number, DType dtype) {
  const std::vector<TensorSpec> specs{{dtype, {2}}};
  const auto* entry = table.find(Toy{number}, specs);
  return entry == nullptr ? "none" : entry->kernel;
}

TEST(KernelTable, AsksEntriesInOrderThenTheFallback) {
  KernelTable base("base"), table("fast");
  base.add<Toy>("base any", toy_kernel, serves::anything);
  table.add<Toy>("small", toy_kernel, serves_small);
  table.add<Toy>("f64", toy_kernel, serves_f64);
  EXPECT_EQ(kernel_for(table, 1, DType::f64), "small");
  EXPECT_EQ(kernel_for(table, 20, DType::f64), "f64");
  EXPECT_EQ(kernel_for(table, 20, DType::f32), "none");
  table.set_fallback(&base);
  EXPECT_EQ(kernel_for(table, 20, DType::f32), "base any");
  EXPECT_EQ(kernel_for(table, 1, DType::f32), "small");
  ASSERT_EQ(table.entries().size(), 2u) << "the fallback's entries are its own";
  EXPECT_EQ(table.entries()[0]->kernel, "small");
}

TEST(KernelTable, WrapsItsEntries) {
  KernelTable table("fast");
  table.add<Toy>("small", toy_kernel, serves_small);
  std::vector<std::string> ran;
  const KernelTable wrapped = table.wrapped([&](const KernelTable::Entry& entry) -> KernelTable::Run {
    return [&ran, &entry](const void* op, Inputs, Outputs, Context&) {
      ran.push_back(entry.kernel + std::to_string(static_cast<const Toy*>(op)->number));
    };
  });
  const auto backend = make_reference_backend();
  Context ctx(backend, wrapped);
  ops::run1(ctx, Toy{7}, {ctx.zeros(DType::f32, {2})});
  EXPECT_EQ(ran, std::vector<std::string>{"small7"});
  EXPECT_EQ(kernel_for(wrapped, 20, DType::f32), "none") << "what it serves is as before";
}

TEST(HostBackend, ARehearsalHoldsValuesButNoUntouchedMemory) {
  const auto backend = make_host_backend("host", HostMemory::rehearsed);
  const KernelTable none("host");
  const Context ctx(backend, none);
  const Tensor huge = ctx.empty(DType::f32, {std::int64_t{1} << 34});  // 64 GiB of addresses
  EXPECT_EQ(backend->memory().in_use, std::int64_t{1} << 36);
  const std::vector<std::int32_t> values{0, 5, 9};
  EXPECT_EQ(ctx.to_host<std::int32_t>(ctx.tensor(values, {3})), values);
  const std::vector<float> many(std::size_t{1} << 20, 2.0f);
  EXPECT_EQ(ctx.to_host<float>(ctx.tensor(many, {1 << 20})), many);
  EXPECT_EQ(ctx.to_host<float>(ctx.zeros(DType::f32, {1 << 20})), std::vector<float>(1 << 20, 0.0f))
      << "in the block that held twos";
}

class RuntimeTest : public testing::Test {
 protected:
  std::shared_ptr<Backend> backend = make_reference_backend();
  KernelTable table = make_reference_table();
  Context ctx{backend, table};
};

TEST_F(RuntimeTest, ValuesGoToTheDeviceAndBack) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor t = ctx.tensor(values, {2, 3});
  EXPECT_EQ(ctx.to_host<float>(t), values);
  EXPECT_EQ(ctx.item(t.slice(0, 1, 2).slice(1, 2, 3)), 6.0);
  EXPECT_THROW(ctx.item(t), Error);
  EXPECT_THROW(ctx.download(t.slice(1, 0, 2)), Error);
  EXPECT_EQ(ctx.to_host<float>(ctx.zeros(DType::f32, {2})), (std::vector<float>{0, 0}));
}

TEST_F(RuntimeTest, MemoryIsCountedAndGivenBack) {
  {
    const Tensor t = ctx.empty(DType::f32, {1000});
    EXPECT_GE(backend->memory().in_use, 4000);
    const Tensor view = t.slice(0, 0, 1);
    EXPECT_GE(backend->memory().peak, backend->memory().in_use);
  }
  EXPECT_EQ(backend->memory().in_use, 0);
  const Tensor none = ctx.empty(DType::f32, {0}), other = ctx.empty(DType::f32, {0});
  EXPECT_NE(none.raw(), other.raw());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(none.raw()) % 64, 0u);
}

TEST_F(RuntimeTest, AMissingKernelIsNamed) {
  const KernelTable empty("toy");
  Context bare(backend, empty);
  const Tensor x = ctx.zeros(DType::f32, {2, 3});
  try {
    ops::run1(bare, ops::Softmax{}, {x});
    FAIL() << "no exception";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_EQ(error.subject(), "softmax");
    EXPECT_EQ(error.message(), "the toy backend has no kernel for (f32[2, 3])");
  }
}

TEST_F(RuntimeTest, RunIntoChecksAndCountsVersions) {
  const Tensor x = ctx.zeros(DType::f32, {2, 3}), y = ctx.zeros(DType::f32, {2, 3});
  const auto before = y.storage()->version();
  ops::run_into(ctx, ops::Softmax{}, {x}, {y});
  EXPECT_EQ(y.storage()->version(), before + 1);
  EXPECT_THROW(ops::run_into(ctx, ops::Softmax{}, {x}, {ctx.zeros(DType::f32, {3, 2})}), Error);
  const Tensor wide = ctx.zeros(DType::f32, {2, 6});
  EXPECT_THROW(ops::run_into(ctx, ops::Softmax{}, {x}, {wide.slice(1, 0, 3)}), Error)
      << "softmax writes dense tensors only";
  EXPECT_EQ(ctx.to_host<float>(ops::run1(ctx, ops::Softmax{}, {wide.slice(1, 0, 3)})).size(), 6u)
      << "a strided input is copied";
}

TEST(HostBackend, EventsAreReadyAndStreamsRunAtOnce) {
  const auto backend = make_host_backend("host");
  const Stream stream = backend->make_stream();
  const Event event = backend->record(stream);
  EXPECT_TRUE(event.ready());
  backend->wait(stream, event);
  backend->synchronise(stream);
  int from = 5, to = 0;
  backend->copy(&to, Device{}, &from, Device{}, sizeof(int), stream);
  EXPECT_EQ(to, 5);
  EXPECT_THROW(backend->copy(&to, Device{DeviceKind::cuda, 0}, &from, Device{}, sizeof(int), stream), Error);
}

TEST(CachingAllocator, ABlockServesTheQueueItWasFreedOnAndNoOther) {
  std::int64_t taken = 0, given = 0;
  const int first = 0, second = 0;  // their addresses are queues
  {
    CachingAllocator allocator(
        [&](std::size_t bytes) {
          ++taken;
          return std::malloc(bytes);
        },
        [&](void* data, std::size_t) {
          ++given;
          std::free(data);
        },
        true);
    void* block = allocator.allocate(1000, MemoryKind::other, &first);
    allocator.free(block, 1000, MemoryKind::other, &second);  // last used there
    void* other = allocator.allocate(1000, MemoryKind::other, &first);
    EXPECT_NE(other, block);
    EXPECT_EQ(allocator.allocate(1000, MemoryKind::other, &second), block);
    EXPECT_EQ(taken, 2);
    EXPECT_EQ(allocator.report().reused, 1);
    allocator.free(block, 1000, MemoryKind::other, &second);
    allocator.free(other, 1000, MemoryKind::other, &first);
    EXPECT_EQ(allocator.report().in_use, 0);
    allocator.trim();
    EXPECT_EQ(allocator.report().reserved, 0);
  }
  EXPECT_EQ(given, 2);
}

}  // namespace
}  // namespace strata
