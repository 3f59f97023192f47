// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_emulation/emulation.hpp"

#include <ucontext.h>

#include <array>
#include <memory>
#include <vector>

#include "strata/base/error.hpp"

#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

namespace strata::cuda::emulation {
namespace {

constexpr std::size_t kStack = std::size_t{128} << 10;
constexpr unsigned kWarp = 32, kMostThreads = 1024;

// Threads that meet: how many have come, and how often all did.
struct Meeting {
  unsigned come = 0, times = 0;
};

struct Warp {
  Meeting meeting;
  std::array<std::uint64_t, kWarp> slots{};
  unsigned alive = 0;  // a bit a lane
};

struct Fiber {
  ucontext_t context{};
  std::unique_ptr<unsigned char[]> stack;
  bool done = false;
};

struct Machine {
  ucontext_t scheduler{};
  std::vector<Fiber> fibers;
  std::array<Warp, kMostThreads / kWarp> warps;
  std::vector<unsigned char> shared;
  const std::function<void()>* body = nullptr;
  Place place{};
  unsigned current = 0, alive = 0, progress = 0;
  Meeting block;
};

thread_local Machine machine;

Warp& warp() { return machine.warps[machine.current / kWarp]; }

void yield() { swapcontext(&machine.fibers[machine.current].context, &machine.scheduler); }

void open_if_all_came(Meeting& meeting, unsigned expected) {
  if (meeting.come < expected || meeting.come == 0) return;
  meeting.come = 0;
  ++meeting.times;
  ++machine.progress;
}

void meet(Meeting& meeting, unsigned expected) {
  const unsigned before = meeting.times;
  ++meeting.come;
  open_if_all_came(meeting, expected);
  while (meeting.times == before) yield();
}

void enter() {
  (*machine.body)();
  machine.fibers[machine.current].done = true;
  warp().alive &= ~(1u << (machine.current % kWarp));
  --machine.alive;
  ++machine.progress;
  open_if_all_came(machine.block, machine.alive);
  // swapcontext back: uc_link does it.
}

void prepare(unsigned t) {
  Fiber& fiber = machine.fibers[t];
  fiber.done = false;
  getcontext(&fiber.context);
  fiber.context.uc_stack = {.ss_sp = fiber.stack.get(), .ss_flags = 0, .ss_size = kStack};
  fiber.context.uc_link = &machine.scheduler;
  makecontext(&fiber.context, enter, 0);
  Warp& of = machine.warps[t / kWarp];
  if (t % kWarp == 0) of = {};
  of.alive |= 1u << (t % kWarp);
}

void run_block(unsigned threads) {
  machine.alive = threads;
  machine.block = {};
  for (unsigned t = 0; t < threads; ++t) prepare(t);
  while (machine.alive > 0) {
    const unsigned before = machine.progress;
    for (unsigned t = 0; t < threads; ++t) {
      if (machine.fibers[t].done) continue;
      machine.current = t;
      machine.place.thread = {t, 0, 0};
      swapcontext(&machine.scheduler, &machine.fibers[t].context);
    }
    STRATA_CHECK(machine.progress != before, internal, "emulation",
                 "threads of a block wait for each other: a barrier or a warp exchange that not all of them reach");
  }
}

}  // namespace

const Place& place() { return machine.place; }
unsigned char* shared_bytes() { return machine.shared.data(); }
unsigned lane() { return machine.current % kWarp; }
void barrier() { meet(machine.block, machine.alive); }

void warp_barrier(unsigned mask) { meet(warp().meeting, static_cast<unsigned>(std::popcount(mask & warp().alive))); }

std::uint64_t exchange(unsigned mask, std::uint64_t bits, unsigned from_lane) {
  Warp& mine = warp();
  mine.slots[lane()] = bits;
  warp_barrier(mask);
  const std::uint64_t got = (mask & mine.alive) >> from_lane & 1u ? mine.slots[from_lane] : bits;
  warp_barrier(mask);
  return got;
}

void run(unsigned blocks, unsigned rows, unsigned threads, std::size_t shared, const std::function<void()>& body) {
  STRATA_CHECK(
      threads > 0 && threads <= kMostThreads && blocks > 0 && rows > 0 && rows <= 65535 && shared <= 227 * 1024,
      internal, "emulation", "a launch that no device takes");
  while (machine.fibers.size() < threads) {
    auto& fiber = machine.fibers.emplace_back();
    fiber.stack = std::make_unique<unsigned char[]>(kStack);
  }
  machine.body = &body;
  machine.place.threads = {threads, 1, 1};
  machine.place.blocks = {blocks, rows, 1};
  for (unsigned y = 0; y < rows; ++y)
    for (unsigned x = 0; x < blocks; ++x) {
      machine.shared.assign(shared + 16, 0xee);  // nobody may count on zeros
      machine.place.block = {x, y, 0};
      run_block(threads);
    }
}

}  // namespace strata::cuda::emulation
