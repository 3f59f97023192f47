// SPDX-License-Identifier: Apache-2.0
//
// Conformance of send and receive, of batches, and of events: many calls in flight, waited for late, in another order,
// or never.
#include <gtest/gtest.h>

#include "strata/runtime/context.hpp"
#include "tests/support/worlds.hpp"

namespace strata::comm {
namespace {

using testing::each_world;

Tensor numbers(std::int64_t count, std::int64_t first) {
  Tensor tensor = host_tensor(DType::i64, {count});
  for (std::int64_t i = 0; i < count; ++i) tensor.data<std::int64_t>()[i] = first + i;
  return tensor;
}

void expect_numbers(const Tensor& tensor, std::int64_t first) {
  for (std::int64_t i = 0; i < tensor.numel(); ++i) ASSERT_EQ(tensor.data<std::int64_t>()[i], first + i);
}

int next(const Communicator& world) { return (world.rank() + 1) % world.size(); }
int previous(const Communicator& world) { return (world.rank() + world.size() - 1) % world.size(); }

TEST(Messages, GoAroundARing) {
  each_world([](Communicator& world) {
    if (world.size() == 1) return;
    for (const std::int64_t count : {0, 1, 12, 3000}) {
      const Tensor mine = numbers(count, 100 * world.rank()), got = numbers(count, -1);
      const Event sent = world.send(mine, next(world)), received = world.recv(got, previous(world));
      received.wait();
      sent.wait();
      expect_numbers(got, 100 * previous(world));
    }
  });
}

TEST(Messages, TagsTellThemApartAndOrderHoldsWithinATag) {
  each_world([](Communicator& world) {
    if (world.size() == 1) return;
    std::vector<Event> events;
    std::vector<Tensor> kept;
    for (const int tag : {7, kMaxTag, 7}) {
      kept.push_back(numbers(3, 10 * world.rank() + 1000 * static_cast<std::int64_t>(kept.size())));
      events.push_back(world.send(kept.back(), next(world), tag));
    }
    const Tensor last_tag = numbers(3, -1), first = numbers(3, -1), second = numbers(3, -1);
    events.push_back(world.recv(last_tag, previous(world), kMaxTag));
    events.push_back(world.recv(first, previous(world), 7));
    events.push_back(world.recv(second, previous(world), 7));
    all_of(events).wait();
    expect_numbers(first, 10 * previous(world));
    expect_numbers(last_tag, 10 * previous(world) + 1000);
    expect_numbers(second, 10 * previous(world) + 2000);
  });
}

TEST(Messages, BatchExchangesInBothDirections) {
  each_world([](Communicator& world) {
    const Tensor forward = numbers(5, 100 * world.rank()), backward = numbers(4, 100 * world.rank() + 50);
    const Tensor from_previous = numbers(5, -1), from_next = numbers(4, -1), sum = numbers(6, world.rank());
    Batch outer = world.batch();
    if (world.size() > 1) {
      Batch inner = world.batch();
      world.send(forward, next(world), 1);
      world.send(backward, previous(world), 2);
      world.recv(from_previous, previous(world), 1);
      world.recv(from_next, next(world), 2);
      EXPECT_TRUE(inner.end().ready()) << "an inner batch starts nothing";
    }
    const Event queued = world.all_reduce(sum);
    EXPECT_FALSE(queued.ready());
    outer.end().wait();
    EXPECT_TRUE(queued.ready());
    if (world.size() > 1) {
      expect_numbers(from_previous, 100 * previous(world));
      expect_numbers(from_next, 100 * next(world) + 50);
    }
    const std::int64_t ranks = world.size() * (world.size() - 1) / 2;
    for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(sum.data<std::int64_t>()[i], ranks + i * world.size());
  });
}

TEST(Messages, BatchStartsAtTheEndOfItsScope) {
  each_world([](Communicator& world) {
    const Tensor sum = numbers(1, 1);
    Event event;
    {
      const Batch batch = world.batch();
      event = world.all_reduce(sum);
      EXPECT_THROW(event.wait(), Error) << "waiting in an open batch would never end";
    }
    event.wait();
    EXPECT_EQ(sum.data<std::int64_t>()[0], world.size());
  });
}

TEST(Messages, BatchLeftByAnExceptionStartsNothing) {
  each_world([](Communicator& world) {
    const Tensor sum = numbers(1, 1);
    try {
      const Batch batch = world.batch();
      world.all_reduce(sum);
      throw std::runtime_error("out of here");
    } catch (const std::runtime_error&) {
    }
    world.barrier().wait();
    EXPECT_EQ(sum.data<std::int64_t>()[0], 1);
  });
}

TEST(Events, ManyInFlightWaitedForInReverse) {
  each_world([](Communicator& world) {
    std::vector<Tensor> tensors;
    std::vector<Event> events;
    for (int i = 0; i < 40; ++i) {
      tensors.push_back(numbers(1 + 17 * i, i));
      events.push_back(i % 3 == 0 ? world.broadcast(tensors.back(), i % world.size())
                                  : world.all_reduce(tensors.back(), Reduction::max));
    }
    for (auto event = events.rbegin(); event != events.rend(); ++event) event->wait();
    for (int i = 0; i < 40; ++i) expect_numbers(tensors[static_cast<std::size_t>(i)], i);
  });
}

TEST(Events, DroppedEventsDoNotStopTheCallNorFreeItsMemory) {
  each_world([](Communicator& world) {
    for (int i = 0; i < 20; ++i) world.all_reduce(numbers(1000, i));
    const Tensor last = numbers(10, 5);
    world.all_reduce(last, Reduction::min).wait();
    expect_numbers(last, 5);
  });
}

TEST(Events, PollingIsEnough) {
  each_world([](Communicator& world) {
    const Tensor sum = numbers(500, 3);
    const Event event = world.all_reduce(sum, Reduction::max);
    while (!event.ready()) std::this_thread::yield();
    expect_numbers(sum, 3);
  });
}

}  // namespace
}  // namespace strata::comm
