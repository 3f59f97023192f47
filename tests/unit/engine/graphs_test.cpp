// SPDX-License-Identifier: Apache-2.0
//
// A training whose steps are recorded and launched again is the training that is not.
#include <gtest/gtest.h>

#include <memory>

#include "strata/engine/trainer.hpp"
#include "strata/optim/ema.hpp"
#include "tests/fixtures/recording_device.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"

namespace strata::engine {
namespace {

struct Form {
  std::shared_ptr<const data::StudySource> studies;
  std::int64_t micro_batches = 1;
  autograd::Checkpointing checkpointing = autograd::Checkpointing::none;
  double ema = 0;
};

struct TrainingRun {
  TrainingRun(const Context& on, StepGraphs* graphs, const Form& form)
      : ctx(on),
        objective(fixtures::small_objective(ctx, {.dtype = DType::f32})),
        optimizer({}, objective->trainable_parameters()),
        loader({{form.studies}}, fixtures::small_loading(12, form.micro_batches, 0, 1)) {
    if (form.ema > 0) ema = std::make_unique<optim::Ema>(ctx, objective->trainable_parameters());
    auto reading = fixtures::small_reading({});
    reading.draws.reset();
    reading.context = 4;
    trainer = std::make_unique<Trainer>(
        TrainerParts{ctx, *objective, optimizer, ema.get(), loader, reading, global, sync, graphs},
        TrainerOptions{.seed = 7,
                       .checkpointing = form.checkpointing,
                       .schedule = {.kind = optim::ScheduleKind::cosine, .peak = 1e-2, .total = 30, .warm_up = 3},
                       .weight_decay = 0.1,
                       .clip = 1,
                       .ema_decay = form.ema});
  }

  Context ctx;
  std::unique_ptr<objectives::ImageTextObjective> objective;
  optim::Optimizer optimizer;
  std::unique_ptr<optim::Ema> ema;
  data::Loader loader;
  objectives::GlobalBatch global;
  parallel::GradientSync sync;
  std::unique_ptr<Trainer> trainer;
};

constexpr int kSteps = 9;

StepGraphStatistics expect_same(const Form& form) {
  fixtures::ReferenceDevice here;
  fixtures::RecordingDevice device;
  StepGraphs graphs(device.backend, device.table);
  TrainingRun expected(here.ctx, nullptr, form), run(graphs.context(), &graphs, form);
  for (int step = 0; step < kSteps; ++step) {
    const StepReport a = expected.trainer->step(), b = run.trainer->step();
    EXPECT_EQ(a.loss, b.loss) << step;
    EXPECT_EQ(a.gradient_norm, b.gradient_norm) << step;
    EXPECT_EQ(a.figures, b.figures) << step;
  }
  const auto &from = expected.objective->parameters(), &to = run.objective->parameters();
  for (std::size_t i = 0; i < from.size(); ++i)
    EXPECT_EQ(here.ctx.to_host<float>(from[i]->master()), run.ctx.to_host<float>(to[i]->master())) << from[i]->name();
  const auto statistics = graphs.statistics();
  EXPECT_EQ(statistics.refused, 0) << statistics.why_refused;
  EXPECT_EQ(statistics.plain + statistics.recorded + statistics.replayed, kSteps);
  return statistics;
}

TEST(Graphs, EqualStepsAreReplayed) {
  const auto statistics = expect_same({fixtures::equal_studies_with_reports()});
  EXPECT_EQ(statistics.diverged, 0);
  EXPECT_GE(statistics.replayed, kSteps - 4) << "two places of voxels take turns";
}

TEST(Graphs, OfSeveralMicroBatches) { EXPECT_GE(expect_same({fixtures::equal_studies_with_reports(), 3}).replayed, 1); }

TEST(Graphs, WithCheckpointingAndAnAverageOfWeights) {
  EXPECT_GE(expect_same({fixtures::equal_studies_with_reports(), 1, autograd::Checkpointing::full, 0.9}).replayed,
            kSteps - 4);
  EXPECT_GE(expect_same({fixtures::equal_studies_with_reports(), 1, autograd::Checkpointing::selective}).replayed,
            kSteps - 4);
}

// Whatever repeats and whatever does not.
TEST(Graphs, RaggedStepsAreTheSameToo) { expect_same({fixtures::small_studies_with_reports()}); }

}  // namespace
}  // namespace strata::engine
