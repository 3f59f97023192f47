// SPDX-License-Identifier: Apache-2.0
//
// Conformance of every collective on every transport and wrapper: values, element types, uneven and empty parts, in
// place and apart. Values are small integers, which every element type adds exactly.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "strata/runtime/context.hpp"
#include "tests/support/worlds.hpp"

namespace strata::comm {
namespace {

using testing::each_world;
using testing::fetched;
using testing::placed;

double value(int rank, std::int64_t i) { return static_cast<double>((3 * rank + i) % 6); }

double element(const Tensor& tensor, std::int64_t i) {
  switch (tensor.dtype()) {
    case DType::f32: return tensor.data<float>()[i];
    case DType::bf16: return static_cast<float>(tensor.data<BFloat16>()[i]);
    case DType::f64: return tensor.data<double>()[i];
    case DType::i32: return tensor.data<std::int32_t>()[i];
    case DType::i64: return static_cast<double>(tensor.data<std::int64_t>()[i]);
    case DType::u8: return tensor.data<std::uint8_t>()[i];
    case DType::i16: return tensor.data<std::int16_t>()[i];
  }
  return 0;
}

void set_element(const Tensor& tensor, std::int64_t i, double x) {
  switch (tensor.dtype()) {
    case DType::f32: tensor.data<float>()[i] = static_cast<float>(x); return;
    case DType::bf16: tensor.data<BFloat16>()[i] = BFloat16(static_cast<float>(x)); return;
    case DType::f64: tensor.data<double>()[i] = x; return;
    case DType::i32: tensor.data<std::int32_t>()[i] = static_cast<std::int32_t>(x); return;
    case DType::i64: tensor.data<std::int64_t>()[i] = static_cast<std::int64_t>(x); return;
    case DType::u8: tensor.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(x); return;
    case DType::i16: tensor.data<std::int16_t>()[i] = static_cast<std::int16_t>(x); return;
  }
}

using Rule = std::function<double(std::int64_t i)>;

Tensor filled(DType dtype, const Shape& shape, const Rule& rule) {
  Tensor tensor = host_tensor(dtype, shape);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) set_element(tensor, i, rule(i));
  return placed(tensor);
}

Tensor blank(DType dtype, const Shape& shape) {
  return filled(dtype, shape, [](std::int64_t) { return 99; });
}

void expect_values(const Tensor& where, const Rule& rule, std::string_view what) {
  const Tensor tensor = fetched(where);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    if (element(tensor, i) != rule(i)) {
      ADD_FAILURE() << what << ": element " << i << " of " << tensor.spec().str() << " is " << element(tensor, i)
                    << ", expected " << rule(i);
      return;
    }
  }
}

constexpr std::array kTypes{DType::f32, DType::bf16, DType::f64, DType::i32, DType::i64, DType::u8, DType::i16};
// NCCL has no arithmetic on i16.
std::vector<DType> added_types(const Communicator& world) {
  std::vector<DType> types(kTypes.begin(), kTypes.end());
  if (world.transport() == "nccl") std::erase(types, DType::i16);
  return types;
}
constexpr std::array kReductions{Reduction::sum, Reduction::max, Reduction::min};

double reduced(Reduction reduction, int size, std::int64_t i) {
  double result = value(0, i);
  for (int r = 1; r < size; ++r) {
    const double x = value(r, i);
    result = reduction == Reduction::sum   ? result + x
             : reduction == Reduction::max ? std::max(result, x)
                                           : std::min(result, x);
  }
  return result;
}

// Uneven on purpose, with empty parts: 1, 3, 0, 2, 1, 3, ...
Counts uneven(int size) {
  Counts counts;
  for (int r = 0; r < size; ++r)
    counts.push_back(std::array<std::int64_t, 4>{1, 3, 0, 2}[static_cast<std::size_t>(r) % 4]);
  return counts;
}
std::int64_t total(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); }

TEST(Collectives, AllReduce) {
  each_world([](Communicator& world) {
    for (const auto dtype : added_types(world)) {
      for (const auto reduction : kReductions) {
        for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 4, 5}, Shape{1500}}) {
          const Rule mine = [&](std::int64_t i) { return value(world.rank(), i); };
          const Rule expected = [&](std::int64_t i) { return reduced(reduction, world.size(), i); };
          const Tensor in = filled(dtype, shape, mine), out = blank(dtype, shape);
          world.all_reduce(in, out, reduction).wait();
          expect_values(out, expected, "apart");
          expect_values(in, mine, "input");
          world.all_reduce(in, reduction).wait();
          expect_values(in, expected, "in place");
        }
      }
    }
  });
}

TEST(Collectives, ReduceLeavesOthersAlone) {
  each_world([](Communicator& world) {
    for (const auto dtype : {DType::f32, DType::bf16, DType::i64}) {
      for (int root = 0; root < world.size(); ++root) {
        const Tensor x = filled(dtype, {13}, [&](std::int64_t i) { return value(world.rank(), i); });
        world.reduce(x, root, Reduction::sum).wait();
        expect_values(
            x,
            [&](std::int64_t i) {
              return world.rank() == root ? reduced(Reduction::sum, world.size(), i) : value(world.rank(), i);
            },
            "reduce");
      }
    }
  });
}

TEST(Collectives, Broadcast) {
  each_world([](Communicator& world) {
    for (const auto dtype : kTypes) {
      for (int root = 0; root < world.size(); ++root) {
        const Tensor x = filled(dtype, {4, 3}, [&](std::int64_t i) { return value(world.rank(), i); });
        world.broadcast(x, root).wait();
        expect_values(
            x, [&](std::int64_t i) { return value(root, i); }, "broadcast");
      }
    }
  });
}

void check_all_gather(Communicator& world, DType dtype, const Counts& counts, bool pass_counts, bool in_place) {
  constexpr std::int64_t kWidth = 3;
  const auto offsets = row_offsets(counts);
  const auto me = static_cast<std::size_t>(world.rank());
  const std::int64_t first = offsets[me] * kWidth, last = offsets[me + 1] * kWidth;
  const Tensor out = filled(dtype, {offsets.back(), kWidth}, [&](std::int64_t i) {
    return in_place && i >= first && i < last ? value(world.rank(), i - first) : 99;
  });
  const Tensor in = in_place
                        ? out.slice(0, offsets[me], offsets[me + 1])
                        : filled(dtype, {counts[me], kWidth}, [&](std::int64_t i) { return value(world.rank(), i); });
  world.all_gather(in, out, {}, pass_counts ? counts : Counts{}).wait();
  for (std::size_t r = 0; r < counts.size(); ++r) {
    expect_values(
        out.slice(0, offsets[r], offsets[r + 1]), [&](std::int64_t i) { return value(static_cast<int>(r), i); },
        "all_gather");
  }
}

TEST(Collectives, AllGather) {
  each_world([](Communicator& world) {
    for (const auto dtype : kTypes) {
      for (const bool in_place : {false, true}) {
        check_all_gather(world, dtype, Counts(static_cast<std::size_t>(world.size()), 2), false, in_place);
        check_all_gather(world, dtype, Counts(static_cast<std::size_t>(world.size()), 0), false, in_place);
        check_all_gather(world, dtype, uneven(world.size()), true, in_place);
      }
    }
  });
}

void check_reduce_scatter(Communicator& world, DType dtype, Reduction reduction, const Counts& counts, bool pass_counts,
                          bool in_place) {
  constexpr std::int64_t kWidth = 3;
  const auto offsets = row_offsets(counts);
  const auto me = static_cast<std::size_t>(world.rank());
  const Tensor in = filled(dtype, {offsets.back(), kWidth}, [&](std::int64_t i) { return value(world.rank(), i); });
  const Tensor out = in_place ? in.slice(0, offsets[me], offsets[me + 1]) : blank(dtype, {counts[me], kWidth});
  world.reduce_scatter(in, out, reduction, {}, pass_counts ? counts : Counts{}).wait();
  expect_values(
      out, [&](std::int64_t i) { return reduced(reduction, world.size(), offsets[me] * kWidth + i); },
      "reduce_scatter");
}

TEST(Collectives, ReduceScatter) {
  each_world([](Communicator& world) {
    for (const auto dtype : added_types(world)) {
      for (const auto reduction : kReductions) {
        for (const bool in_place : {false, true}) {
          check_reduce_scatter(world, dtype, reduction, Counts(static_cast<std::size_t>(world.size()), 2), false,
                               in_place);
          check_reduce_scatter(world, dtype, reduction, uneven(world.size()), true, in_place);
        }
      }
    }
  });
}

TEST(Collectives, AllToAll) {
  each_world([](Communicator& world) {
    const auto rows = [](int from, int to) { return static_cast<std::int64_t>((from + 2 * to) % 3); };
    for (const auto dtype : kTypes) {
      Counts send_counts, recv_counts;
      for (int r = 0; r < world.size(); ++r) {
        send_counts.push_back(rows(world.rank(), r));
        recv_counts.push_back(rows(r, world.rank()));
      }
      const Tensor in = filled(dtype, {total(send_counts), 4}, [&](std::int64_t i) { return value(world.rank(), i); });
      const Tensor out = blank(dtype, {total(recv_counts), 4});
      world.all_to_all(in, send_counts, out, recv_counts).wait();
      const auto offsets = row_offsets(recv_counts);
      for (int from = 0; from < world.size(); ++from) {
        std::int64_t first = 0;  // row of the sender's input where our block begins
        for (int to = 0; to < world.rank(); ++to) first += rows(from, to);
        const auto r = static_cast<std::size_t>(from);
        expect_values(
            out.slice(0, offsets[r], offsets[r + 1]), [&](std::int64_t i) { return value(from, first * 4 + i); },
            "all_to_all");
      }
    }
  });
}

TEST(Collectives, BarrierWaitsForAll) {
  each_world([](Communicator& world) {
    using Clock = std::chrono::steady_clock;
    world.barrier().wait();
    const auto begin = Clock::now();
    if (world.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(60));
    world.barrier().wait();
    EXPECT_GE(Clock::now() - begin, world.size() > 1 ? std::chrono::milliseconds(40) : std::chrono::milliseconds(0));
  });
}

// Small integers hide rounding: real numbers against a sum in double. Each combination may round once, in the element
// type.
void check_accuracy(Communicator& world, DType dtype, double epsilon) {
  const auto real = [](int rank, std::int64_t i) {
    return std::sin(static_cast<double>(1 + rank) * static_cast<double>(i + 1));
  };
  const Tensor x = filled(dtype, {2000}, [&](std::int64_t i) { return real(world.rank(), i); });
  world.all_reduce(x).wait();
  const Tensor got = fetched(x);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    double sum = 0, magnitude = 0;
    for (int r = 0; r < world.size(); ++r) {
      sum += real(r, i);
      magnitude += std::abs(real(r, i));
    }
    ASSERT_NEAR(element(got, i), sum, magnitude * epsilon * world.size());
  }
}

TEST(Collectives, SumsAreAccurate) {
  each_world([](Communicator& world) {
    check_accuracy(world, DType::f32, 0x1p-23);
    check_accuracy(world, DType::bf16, 0x1p-8);
  });
}

TEST(Collectives, SumsHaveTheSameBitsOnAllRanksAndAgain) {
  each_world([](Communicator& world) {
    const auto fill = [&] {
      return filled(DType::f32, {777},
                    [&](std::int64_t i) { return std::sin(static_cast<double>((i + 1) * (world.rank() + 1))); });
    };
    const Tensor first = fill(), second = fill();
    world.all_reduce(first).wait();
    world.all_reduce(second).wait();
    const Tensor mine = fetched(first), again = fetched(second);
    EXPECT_EQ(std::memcmp(mine.raw(), again.raw(), mine.bytes()), 0);
    const Tensor all = host_tensor(DType::f32, {world.size(), 777});
    world.all_gather(mine.reshape({1, 777}), all).wait();
    for (int r = 0; r < world.size(); ++r)
      EXPECT_EQ(std::memcmp(all.slice(0, r, r + 1).raw(), mine.raw(), mine.bytes()), 0) << "rank " << r;
  });
}

}  // namespace
}  // namespace strata::comm
