// SPDX-License-Identifier: Apache-2.0
//
// Differentiable collectives against finite differences over ranks, in double precision: every element of every rank's
// input is moved, all ranks compute their losses, and the change of the whole loss is compared with the gradient that
// backward left on that rank.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/reference/reference.hpp"
#include "parallel/comm/tracing.hpp"
#include "parallel/comm/wrapper.hpp"
#include "parallel/ops/collectives.hpp"
#include "tests/support/worlds.hpp"

namespace strata::parallel {
namespace {

using testing::run_ranks;
using Function = std::function<Variable(Tape&, Communicator&, const Variable&)>;

// What a rank's input means, and what the loss is.
enum class Convention {
  sum_of_ranks,      // every rank has its own input; the loss is the sum over ranks
  counted_once,      // every rank has its own input; all compute the same loss
  replicated_input,  // one input, the same everywhere; the loss is the sum over ranks
};

double weight(int rank, std::int64_t i) { return 1 + std::sin(static_cast<double>(7 * rank + 3 * i)); }
double start(int rank, std::int64_t i) { return std::cos(static_cast<double>(5 * rank + 2 * i + 1)); }

// One rank's side of an experiment.
class Experiment {
 public:
  Experiment(Communicator& group, Context& ctx, Shape shape, Convention convention, Function function)
      : group_(group), ctx_(ctx), shape_(shape), convention_(convention), function_(std::move(function)) {}

  void run() {
    const auto analytic = gradients();
    const auto own = shape_.numel();
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(group_.size()));
    std::int64_t mine = own;
    group_.all_gather(Tensor::borrow(&mine, DType::i64, {1}), Tensor::borrow(sizes.data(), DType::i64, {group_.size()}))
        .wait();
    for (int rank = 0; rank < group_.size(); ++rank) {
      if (rank > 1 && rank < group_.size() - 1) continue;  // those in the middle are like rank 1
      for (std::int64_t i = 0; i < sizes[static_cast<std::size_t>(rank)]; ++i) {
        const double numeric = slope(rank, i);
        if (rank != group_.rank() && convention_ != Convention::replicated_input) continue;
        EXPECT_NEAR(analytic[static_cast<std::size_t>(i)], numeric, 1e-6) << "element " << i << " of rank " << rank;
      }
    }
  }

 private:
  // loss = sum of weight · y³ / 3, so that its gradient is weight · y², which depends on the values that arrived.
  double weight_of(std::int64_t i) const {
    return weight(convention_ == Convention::counted_once ? 0 : group_.rank(), i);
  }

  std::vector<double> input(int moved_rank, std::int64_t moved, double by) const {
    std::vector<double> values(static_cast<std::size_t>(shape_.numel()));
    const bool replicated = convention_ == Convention::replicated_input;
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = start(replicated ? 0 : group_.rank(), static_cast<std::int64_t>(i));
    if (moved_rank >= 0 && (replicated || moved_rank == group_.rank())) values[static_cast<std::size_t>(moved)] += by;
    return values;
  }

  double loss(int moved_rank, std::int64_t moved, double by) {
    Tape tape(ctx_, {.record = false});
    const auto y = function_(tape, group_, tape.constant(ctx_.tensor(input(moved_rank, moved, by), shape_)));
    double sum = 0;
    if (y.defined()) {
      const auto values = ctx_.to_host<double>(y.value());
      for (std::size_t i = 0; i < values.size(); ++i)
        sum += weight_of(static_cast<std::int64_t>(i)) * values[i] * values[i] * values[i] / 3;
    }
    if (convention_ != Convention::counted_once) group_.all_reduce(Tensor::borrow(&sum, DType::f64, {})).wait();
    return sum;
  }

  double slope(int rank, std::int64_t i) {
    constexpr double kStep = 1e-5;
    const double above = loss(rank, i, kStep), below = loss(rank, i, -kStep);
    return (above - below) / (2 * kStep);
  }

  std::vector<double> gradients() {
    Tape tape(ctx_, {});
    const Variable x = tape.input(ctx_.tensor(input(-1, 0, 0), shape_));
    const Variable y = function_(tape, group_, x);
    std::vector<Tape::Root> roots;
    if (y.defined()) {
      auto g = ctx_.to_host<double>(y.value());
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = weight_of(static_cast<std::int64_t>(i)) * g[i] * g[i];
      roots.push_back({y, ctx_.tensor(g, y.shape())});
    }
    tape.backward(roots);
    const Tensor gradient = tape.grad_of(x);
    return gradient.defined() ? ctx_.to_host<double>(gradient)
                              : std::vector<double>(static_cast<std::size_t>(shape_.numel()), 0.0);
  }

  Communicator& group_;
  Context& ctx_;
  Shape shape_;
  Convention convention_;
  Function function_;
};

// `rows(rank)`: of this rank's input, [rows, 2].
void check(Convention convention, const std::function<std::int64_t(const Communicator&)>& rows,
           const Function& function) {
  run_ranks([&](Communicator& world) {
    const KernelTable table = make_reference_table();
    Context ctx(make_reference_backend(), table);
    const auto trace = std::make_shared<comm::Trace>();
    const auto traced = comm::make_tracing(comm::borrowed(world), trace);
    Experiment(*traced, ctx, Shape{rows(world), 2}, convention, function).run();
    comm::expect_same_sequence(world, *trace, world.name());
  });
}

std::int64_t two(const Communicator&) { return 2; }
Counts uneven(const Communicator& group) {
  Counts counts;
  for (int r = 0; r < group.size(); ++r) counts.push_back((r + 1) % 3);
  return counts;
}
std::int64_t total(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto count : counts) sum += count;
  return sum;
}

TEST(Differentiable, CopyToGroup) {
  check(Convention::replicated_input, two,
        [](Tape& tape, Communicator& group, const Variable& x) { return copy_to_group(tape, group, x); });
}

TEST(Differentiable, SumOverGroup) {
  check(Convention::counted_once, two,
        [](Tape& tape, Communicator& group, const Variable& x) { return sum_over_group(tape, group, x); });
}

TEST(Differentiable, MeanOverGroup) {
  check(Convention::counted_once, two, [](Tape& tape, Communicator& group, const Variable& x) {
    return sum_over_group(tape, group, x, 1.0 / group.size());
  });
}

TEST(Differentiable, AllReduce) {
  check(Convention::sum_of_ranks, two,
        [](Tape& tape, Communicator& group, const Variable& x) { return all_reduce(tape, group, x, 0.5); });
}

TEST(Differentiable, AllGather) {
  check(Convention::sum_of_ranks, two,
        [](Tape& tape, Communicator& group, const Variable& x) { return all_gather(tape, group, x); });
}

TEST(Differentiable, AllGatherOfUnevenParts) {
  check(
      Convention::sum_of_ranks,
      [](const Communicator& group) { return uneven(group)[static_cast<std::size_t>(group.rank())]; },
      [](Tape& tape, Communicator& group, const Variable& x) { return all_gather(tape, group, x, uneven(group)); });
}

TEST(Differentiable, ReduceScatter) {
  check(
      Convention::sum_of_ranks, [](const Communicator& group) -> std::int64_t { return group.size(); },
      [](Tape& tape, Communicator& group, const Variable& x) { return reduce_scatter(tape, group, x); });
}

TEST(Differentiable, ReduceScatterToUnevenParts) {
  check(
      Convention::sum_of_ranks, [](const Communicator& group) { return total(uneven(group)); },
      [](Tape& tape, Communicator& group, const Variable& x) { return reduce_scatter(tape, group, x, uneven(group)); });
}

TEST(Differentiable, Broadcast) {
  check(Convention::sum_of_ranks, two, [](Tape& tape, Communicator& group, const Variable& x) {
    const int root = group.size() - 1;
    return broadcast(tape, group, group.rank() == root ? x : Variable(), {DType::f64, {2, 2}}, root);
  });
}

TEST(Differentiable, MeanToRoot) {
  check(Convention::sum_of_ranks, two, [](Tape& tape, Communicator& group, const Variable& x) {
    return reduce(tape, group, x, 0, 1.0 / group.size());
  });
}

TEST(Differentiable, AllToAll) {
  const auto rows = [](int from, int to) -> std::int64_t { return (from + 2 * to) % 3; };
  const auto counts = [rows](const Communicator& group, bool send) {
    Counts result;
    for (int r = 0; r < group.size(); ++r) result.push_back(send ? rows(group.rank(), r) : rows(r, group.rank()));
    return result;
  };
  check(
      Convention::sum_of_ranks, [&](const Communicator& group) { return total(counts(group, true)); },
      [&](Tape& tape, Communicator& group, const Variable& x) {
        return all_to_all(tape, group, x, counts(group, true), counts(group, false));
      });
}

// Up to the root and down again, as prefix tokens go in a study group.
TEST(Differentiable, UpAndDownAgain) {
  check(Convention::sum_of_ranks, two, [](Tape& tape, Communicator& group, const Variable& x) {
    const Variable mean = reduce(tape, group, x, 0, 1.0 / group.size());
    return broadcast(tape, group, mean, {DType::f64, {2, 2}}, 0);
  });
}

// Only rank 0 has a loss: the others issue their part of the backward all the same.
TEST(Differentiable, RanksWithoutALossStillTakePart) {
  check(Convention::sum_of_ranks, two, [](Tape& tape, Communicator& group, const Variable& x) {
    const Variable y = all_reduce(tape, group, x);
    return group.rank() == 0 ? y : Variable();
  });
}

TEST(Differentiable, ARootThatAnnouncesAnotherShapeIsRefused) {
  run_ranks([](Communicator& world) {
    const KernelTable table = make_reference_table();
    Context ctx(make_reference_backend(), table);
    Tape tape(ctx, {});
    const Variable x = tape.input(ctx.zeros(DType::f64, {2}));
    EXPECT_THROW(all_gather(tape, world, Variable()), Error);
    if (world.rank() != 0) return;
    EXPECT_THROW(broadcast(tape, world, x, {DType::f64, {3}}, 0), Error);
  });
}

}  // namespace
}  // namespace strata::parallel
