// SPDX-License-Identifier: Apache-2.0
//
// Training steps of ranks with devices are those of one rank that has all studies: gradients, features and temperatures
// cross between devices, counts between hosts. Judged by losses and by weights after gradient descent with rate 1.
#include <gtest/gtest.h>

#include <cmath>

#include "parallel/comm/local.hpp"
#include "parallel/gradient_sync/whole_sum.hpp"
#include "strata/engine/distributed_batch.hpp"
#include "tests/fixtures/small_training.hpp"
#include "tests/support/ranks.hpp"

namespace strata::engine {
namespace {

constexpr std::int64_t kBatch = 48, kSteps = 2;

struct Result {
  std::vector<double> losses;
  std::vector<std::vector<float>> weights;  // by parameter
};

Result train(Context ctx, comm::Communicator& world) {
  const fixtures::TrainingForm form{.dtype = DType::f32};
  const auto objective = fixtures::small_objective(ctx, form);
  const auto parameters = objective->trainable_parameters();
  optim::Optimizer optimizer({.algorithm = optim::Algorithm::sgd}, parameters);
  data::Loader loader({{fixtures::small_studies_with_reports()}},
                      fixtures::small_loading(kBatch, 4, world.rank(), world.size()));
  DistributedBatch global(world);
  parallel::WholeSum sync(world, parameters);
  Trainer trainer({ctx, *objective, optimizer, nullptr, loader, fixtures::small_reading(form), global, sync},
                  {.seed = fixtures::kTrainingSeed, .schedule = {.kind = optim::ScheduleKind::constant, .peak = 1}});
  Result result;
  for (std::int64_t step = 0; step < kSteps; ++step) result.losses.push_back(trainer.step().loss);
  for (const auto& parameter : parameters) result.weights.push_back(ctx.to_host<float>(parameter->master()));
  return result;
}

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, static_cast<double>(std::abs(value)));
  return most;
}

TEST(DeviceTraining, ManyRanksAreOne) {
  testing::run_ranks([](comm::Communicator& world) {
    const KernelTable kernels = testing::launch().device_kernels();
    const Context ctx(testing::rank_device(), kernels);
    const Result whole = train(ctx, *comm::make_local(testing::rank_device()));
    const Result cut = train(ctx, world);
    constexpr double kTolerance = 2e-4;  // of f32 sums in another order, and of the device's products
    for (std::size_t i = 0; i < whole.losses.size(); ++i)
      EXPECT_NEAR(cut.losses[i], whole.losses[i], kTolerance * std::abs(whole.losses[i]));
    EXPECT_NE(whole.losses[0], whole.losses[1]) << "nothing was learnt";
    for (std::size_t p = 0; p < whole.weights.size(); ++p) {
      const double scale = std::max(1.0, largest(whole.weights[p]));
      for (std::size_t i = 0; i < whole.weights[p].size(); ++i)
        ASSERT_NEAR(cut.weights[p][i], whole.weights[p][i], kTolerance * scale) << "tensor " << p << ", element " << i;
    }
  });
}

// Graphs change nothing; where kernels can be recorded, as on real devices, steps are replayed.
TEST(DeviceTraining, StepsThatAreReplayedAreTheSame) {
  testing::run_ranks([](comm::Communicator&) {
    const KernelTable kernels = testing::launch().device_kernels();
    const auto alone = comm::make_local(testing::rank_device());
    const fixtures::TrainingForm form{.dtype = DType::f32};
    const auto losses = [&](const Context& context, StepGraphs* graphs) {
      Context ctx = context;
      const auto objective = fixtures::small_objective(ctx, form);
      optim::Optimizer optimizer({}, objective->trainable_parameters());
      data::Loader loader({{fixtures::equal_studies_with_reports()}}, fixtures::small_loading(12, 1, 0, 1));
      objectives::GlobalBatch global;
      parallel::GradientSync sync;
      auto reading = fixtures::small_reading(form);
      reading.draws.reset();
      reading.context = 4;
      Trainer trainer({ctx, *objective, optimizer, nullptr, loader, reading, global, sync, graphs},
                      {.seed = 7, .schedule = {.kind = optim::ScheduleKind::constant, .peak = 1e-2}, .clip = 1});
      std::vector<double> list;
      for (int step = 0; step < 7; ++step) list.push_back(trainer.step().loss);
      return list;
    };
    StepGraphs graphs(testing::rank_device(), kernels);
    const auto plain = losses(Context(testing::rank_device(), kernels), nullptr);
    EXPECT_EQ(losses(graphs.context(), &graphs), plain);
    const auto& done = graphs.statistics();
    EXPECT_EQ(done.diverged, 0);
    EXPECT_TRUE(done.replayed > 0 || done.why_refused.find("a kernel waits for the device") != std::string::npos)
        << done.why_refused;
  });
}

}  // namespace
}  // namespace strata::engine
