// SPDX-License-Identifier: Apache-2.0
//
// A step is the same step however its studies are cut: into micro-batches, over ranks, or not at all. Judged by the
// loss and by the weights after plain gradient descent with rate 1, which are the old ones minus the gradient. Random
// parts (dropout, drop path, patch dropout, drawn positions, shuffled sentences) are on.
#include <gtest/gtest.h>

#include <cmath>

#include "parallel/comm/local.hpp"
#include "parallel/gradient_sync/whole_sum.hpp"
#include "strata/engine/distributed_batch.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"
#include "tests/support/ranks.hpp"

namespace strata::engine {
namespace {

using Form = fixtures::TrainingForm;

constexpr std::int64_t kBatch = 48, kSteps = 2;

struct Result {
  std::vector<double> losses;
  std::vector<std::vector<double>> weights;  // by parameter
};

Result train(Context ctx, comm::Communicator& world, const Form& form, std::int64_t micro_batches) {
  const auto objective = fixtures::small_objective(ctx, form);
  const auto parameters = objective->trainable_parameters();
  optim::Optimizer optimizer({.algorithm = optim::Algorithm::sgd}, parameters);
  data::Loader loader({{fixtures::small_studies_with_reports()}},
                      fixtures::small_loading(kBatch, micro_batches, world.rank(), world.size()));
  DistributedBatch global(world);
  parallel::WholeSum sync(world, parameters);
  Trainer trainer({ctx, *objective, optimizer, nullptr, loader, fixtures::small_reading(form), global, sync},
                  {.seed = fixtures::kTrainingSeed, .schedule = {.kind = optim::ScheduleKind::constant, .peak = 1}});
  Result result;
  for (std::int64_t step = 0; step < kSteps; ++step) result.losses.push_back(trainer.step().loss);
  for (const auto& parameter : parameters) {
    const Tensor host = ctx.download(parameter->master());
    auto& values = result.weights.emplace_back();
    for (std::int64_t i = 0; i < host.numel(); ++i)
      values.push_back(host.dtype() == DType::f64 ? host.data<double>()[i] : double{host.data<float>()[i]});
  }
  return result;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}

// The worst difference of a weight beside the largest of its tensor, or 1.
double worst(const Result& a, const Result& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.losses.size(); ++i)
    worst = std::max(worst, std::abs(a.losses[i] - b.losses[i]) / std::max(1.0, std::abs(b.losses[i])));
  for (std::size_t p = 0; p < a.weights.size(); ++p) {
    const double scale = std::max(1.0, largest(b.weights[p]));
    for (std::size_t i = 0; i < a.weights[p].size(); ++i)
      worst = std::max(worst, std::abs(a.weights[p][i] - b.weights[p][i]) / scale);
  }
  return worst;
}

void expect_same_step(comm::Communicator& world, const Context& ctx, const Form& form, double tolerance) {
  const auto alone = comm::make_local();
  const Result whole = train(ctx, *alone, form, 1);
  // As many micro-batches as ranks, four times as many, and one: then all ranks but one have no study.
  for (const std::int64_t micro_batches :
       {std::int64_t{world.size()}, std::int64_t{4} * world.size(), std::int64_t{1}}) {
    SCOPED_TRACE(std::to_string(micro_batches) + " micro-batches");
    const Result cut = train(ctx, world, form, micro_batches);
    EXPECT_LE(worst(cut, whole), tolerance);
  }
}

TEST(Splits, ClipInDoublePrecision) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    expect_same_step(world, device.ctx, {}, 1e-10);
  });
}

TEST(Splits, SiglipInDoublePrecision) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    expect_same_step(world, device.ctx, {.kind = objectives::ContrastiveKind::siglip}, 1e-10);
  });
}

TEST(Splits, DualInDoublePrecision) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    expect_same_step(world, device.ctx, {.dual = true}, 1e-10);
  });
}

TEST(Splits, ClipInSinglePrecision) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    expect_same_step(world, device.ctx, {.dtype = DType::f32}, 1e-5);
  });
}

// The step does something: a test of equality alone would pass on weights that never move.
TEST(Splits, AStepMovesEveryTrainableTensor) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    const auto before = fixtures::small_objective(device.ctx, {});
    const Result after = train(device.ctx, world, {}, world.size());
    const auto parameters = before->trainable_parameters();
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const auto old = device.ctx.to_host<double>(parameters[p]->master());
      double moved = 0;
      for (std::size_t i = 0; i < old.size(); ++i) moved = std::max(moved, std::abs(old[i] - after.weights[p][i]));
      EXPECT_GT(moved, 1e-9) << parameters[p]->name();
    }
  });
}

}  // namespace
}  // namespace strata::engine
