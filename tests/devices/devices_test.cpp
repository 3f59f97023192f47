// SPDX-License-Identifier: Apache-2.0
//
// What device transports add to the conformance of collectives (tests/ranks/collectives_test.cpp runs on devices, too):
// order by streams, memory that is given away early, groups, batches, refusals.
#include <gtest/gtest.h>

#include "parallel/comm/watchdog.hpp"
#include "parallel/comm/wrapper.hpp"
#include "parallel/gradient_sync/whole_sum.hpp"
#include "strata/base/error.hpp"
#include "strata/engine/distributed_batch.hpp"
#include "tests/support/worlds.hpp"

namespace strata::comm {
namespace {

using testing::each_world;
using testing::fetched;
using testing::placed;
using testing::rank_device;
using testing::run_ranks;

Tensor numbers(std::int64_t count, double first) {
  Tensor tensor = host_tensor(DType::f64, {count});
  for (std::int64_t i = 0; i < count; ++i) tensor.data<double>()[i] = first + static_cast<double>(i);
  return placed(tensor);
}

void expect_numbers(const Tensor& where, double first, double step = 1) {
  const Tensor tensor = fetched(where);
  for (std::int64_t i = 0; i < tensor.numel(); ++i)
    ASSERT_EQ(tensor.data<double>()[i], first + step * static_cast<double>(i)) << "element " << i;
}

Context context() {
  static const KernelTable none("none");
  return Context(rank_device(), none);
}

double sum_of_ranks(const Communicator& world) { return world.size() * (world.size() - 1) / 2.0; }
int next(const Communicator& world) { return (world.rank() + 1) % world.size(); }
int previous(const Communicator& world) { return (world.rank() + world.size() - 1) % world.size(); }

// The stream goes on behind the call, and what is queued on it sees the result; the host asks nobody.
TEST(Devices, AStreamWaitsForACall) {
  each_world([](Communicator& world) {
    const Context ctx = context();
    for (int i = 0; i < 20; ++i) {
      const Tensor x = numbers(5000, world.rank() + i), copy = ctx.empty(DType::f64, {5000});
      ctx.backend().wait(ctx.stream(), world.all_reduce(x, Reduction::sum, ctx.stream()));
      ctx.backend().copy(copy.raw(), copy.device(), x.raw(), x.device(), x.bytes(), ctx.stream());
      expect_numbers(copy, sum_of_ranks(world) + i * world.size(), world.size());
    }
  });
}

// Rank 0 has put the call and the wait for it on its stream before the others begin: it would never get there if its
// host waited. A batch's event is of several parts.
TEST(Devices, TheHostWaitsForNobody) {
  run_ranks([](Communicator& world) {
    if (world.transport() != "nccl") return;
    world.all_reduce(numbers(3, 0)).wait();  // connects
    const Context ctx = context();
    const Tensor a = numbers(3000, world.rank()), b = numbers(3000, 2 * world.rank());
    for (const bool batched : {false, true}) {
      if (world.rank() > 0) world.barrier().wait();
      if (batched) {
        Batch batch = world.batch();
        world.all_reduce(a, Reduction::max, ctx.stream());
        world.all_reduce(b, Reduction::max, ctx.stream());
        ctx.backend().wait(ctx.stream(), batch.end());
      } else {
        ctx.backend().wait(ctx.stream(), world.all_reduce(a, Reduction::max, ctx.stream()));
      }
      if (world.rank() == 0) world.barrier().wait();
    }
    expect_numbers(a, world.size() - 1);
    expect_numbers(b, 2 * (world.size() - 1));
  });
}

// Work that is queued before the call, on a stream of its own, is done before the input is read.
TEST(Devices, ACallWaitsForItsStream) {
  each_world([](Communicator& world) {
    const Context ctx = context();
    const Stream stream = ctx.backend().make_stream();
    const Tensor from = numbers(20'000, 1);
    for (int i = 0; i < 20; ++i) {
      const Tensor x = numbers(20'000, -7);
      for (int again = 0; again < 3; ++again)
        ctx.backend().copy(x.raw(), x.device(), from.raw(), from.device(), from.bytes(), stream);
      world.all_reduce(x, Reduction::sum, stream).wait();
      expect_numbers(x, world.size(), world.size());
    }
  });
}

// The allocator hands freed memory to the next work of the caller's stream, which does not know of the call.
TEST(Devices, MemoryOfACallIsNotHandedOutEarly) {
  each_world([](Communicator& world) {
    const Context ctx = context();
    const Tensor noise = numbers(4000, -1e6);
    for (int i = 0; i < 20; ++i) {
      const Tensor out = ctx.empty(DType::f64, {4000});
      Event event;
      {
        const Tensor in = numbers(4000, world.rank());
        event = world.all_reduce(in, out, Reduction::sum, ctx.stream());
      }
      const Tensor next_one = ctx.empty(DType::f64, {4000});  // the input's memory, if that were free
      ctx.backend().copy(next_one.raw(), next_one.device(), noise.raw(), noise.device(), noise.bytes(), ctx.stream());
      event.wait();
      expect_numbers(out, sum_of_ranks(world), world.size());
    }
  });
}

TEST(Devices, DroppedEventsDoNotStopTheCall) {
  each_world([](Communicator& world) {
    const Tensor kept = numbers(100, 1);
    for (int i = 0; i < 20; ++i) world.all_reduce(numbers(1000, i));
    world.all_reduce(kept);
    const Tensor last = numbers(10, 5);
    world.all_reduce(last, Reduction::min).wait();
    expect_numbers(last, 5);
    if (world.transport() == "nccl") expect_numbers(kept, world.size(), world.size());  // in the stream's order
  });
}

TEST(Devices, BatchesExchangeInBothDirections) {
  each_world([](Communicator& world) {
    const Tensor forward = numbers(5, 100 * world.rank()), backward = numbers(4, 100 * world.rank() + 50);
    const Tensor from_previous = numbers(5, -1), from_next = numbers(4, -1), sum = numbers(6, world.rank());
    double on_host = world.rank();
    Batch batch = world.batch();
    if (world.size() > 1) {
      world.send(forward, next(world));
      world.send(backward, previous(world));
      world.recv(from_previous, previous(world));
      world.recv(from_next, next(world));
    }
    world.all_reduce(sum);
    world.all_reduce(Tensor::borrow(&on_host, DType::f64, {}));
    batch.end().wait();
    if (world.size() > 1) {
      expect_numbers(from_previous, 100 * previous(world));
      expect_numbers(from_next, 100 * next(world) + 50);
    }
    expect_numbers(sum, sum_of_ranks(world), world.size());
    EXPECT_EQ(on_host, sum_of_ranks(world));
  });
}

// A batch's event has parts: a stream waits for all of them.
TEST(Devices, AStreamWaitsForABatch) {
  each_world([](Communicator& world) {
    const Context ctx = context();
    const Tensor a = numbers(3000, world.rank()), b = numbers(3000, 2 * world.rank());
    Batch batch = world.batch();
    world.all_reduce(a, Reduction::sum, ctx.stream());
    world.all_reduce(b, Reduction::max, ctx.stream());
    ctx.backend().wait(ctx.stream(), batch.end());
    expect_numbers(a, sum_of_ranks(world), world.size());
    expect_numbers(b, 2 * (world.size() - 1));
  });
}

TEST(Devices, MessagesArriveInOrder) {
  each_world([](Communicator& world) {
    if (world.size() == 1) return;
    std::vector<Tensor> sent, got;
    {
      const Batch batch = world.batch();
      for (int i = 0; i < 4; ++i) {
        sent.push_back(numbers(1 + i, 1000 * i + world.rank()));
        got.push_back(numbers(1 + i, -1));
        world.send(sent.back(), next(world));
        world.recv(got.back(), previous(world));
      }
    }
    world.barrier().wait();
    const Tensor sum = numbers(2, 1);
    world.all_reduce(sum).wait();
    if (world.transport() != "nccl") return;  // there, behind the batch on one stream
    for (int i = 0; i < 4; ++i) expect_numbers(got[static_cast<std::size_t>(i)], 1000 * i + previous(world));
  });
}

TEST(Devices, GroupsOfGroups) {
  each_world([](Communicator& world) {
    auto pair = world.split(world.rank() / 2, world.rank(), "pair");
    const auto backwards = world.split(0, -world.rank());
    const auto single = pair->split(pair->rank(), 0, "single");
    const auto most = world.split(world.rank() == 0 ? -1 : 0, 0);
    EXPECT_EQ(most == nullptr, world.rank() == 0);
    const Tensor a = numbers(3, world.rank()), b = numbers(3, backwards->rank()), c = numbers(3, 7),
                 got = numbers(3, 0);
    pair->all_reduce(a, Reduction::max).wait();
    expect_numbers(a, std::min(world.size() - 1, world.rank() / 2 * 2 + 1));
    backwards->broadcast(b, 0).wait();
    expect_numbers(b, 0);
    single->all_reduce(c, got).wait();
    expect_numbers(got, 7);
    pair.reset();
    if (most) {
      const Tensor d = numbers(3, 1);
      most->all_reduce(d).wait();
      expect_numbers(d, most->size(), most->size());
    }
  });
}

TEST(Devices, HostTensorsTakeTheCarrier) {
  each_world([](Communicator& world) {
    std::int64_t one = 1;
    world.all_reduce(Tensor::borrow(&one, DType::i64, {1})).wait();
    EXPECT_EQ(one, world.size());
    EXPECT_TRUE(world.serves(Device{}));
    EXPECT_TRUE(world.serves(rank_device()->device()));
    EXPECT_FALSE(world.serves({DeviceKind::cuda, 99}));
  });
}

TEST(Devices, WhatNcclHasNotIsRefusedBeforeAnythingMoves) {
  run_ranks([](Communicator& world) {
    if (world.transport() != "nccl") return;
    const Tensor shorts = placed(host_tensor(DType::i16, {2}));
    const auto refusal = [&](const std::function<void()>& call) -> std::string {
      try {
        call();
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        return error.what();
      }
      return "accepted";
    };
    const auto has = [](const std::string& text, std::string_view part) {
      EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    has(refusal([&] { world.all_reduce(shorts); }), "NCCL has no sum of i16");
    has(refusal([&] { world.all_reduce(numbers(3, 0), fetched(numbers(3, 0))); }), "the output on");
    if (world.size() > 1) has(refusal([&] { world.send(numbers(3, 0), next(world), 4); }), "tag 4 on a device tensor");
    const Tensor sum = numbers(3, 1);
    world.all_reduce(sum).wait();
    expect_numbers(sum, world.size(), world.size());
  });
}

TEST(Devices, BuffersThatAreUsedAgain) {
  each_world([](Communicator& world) {
    const Tensor buffer = numbers(1000, 1);
    world.will_reuse(buffer);
    world.will_reuse(buffer);
    world.all_reduce(buffer).wait();
    world.all_reduce(buffer).wait();
    expect_numbers(buffer, world.size() * world.size(), world.size() * world.size());
  });
}

TEST(Devices, RowsOfUnevenRanksComeTogether) {
  each_world([](Communicator& world) {
    Context ctx = context();
    engine::DistributedBatch global(world);
    const Tensor mine = numbers(3 * world.rank(), 10 * world.rank()).reshape({world.rank(), 3});
    const auto rows = global.gather_rows(ctx, mine);
    EXPECT_EQ(rows.first, world.rank() * (world.rank() - 1) / 2);
    EXPECT_EQ(rows.all.dim(0), static_cast<std::int64_t>(sum_of_ranks(world)));
    for (std::int64_t r = 0, at = 0; r < world.size(); at += r++)
      expect_numbers(rows.all.slice(0, at, at + r).reshape({-1}), 10.0 * static_cast<double>(r));
    expect_numbers(global.sum(ctx, numbers(4, world.rank())), sum_of_ranks(world), world.size());
  });
}

}  // namespace
}  // namespace strata::comm
