// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/training.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"

namespace strata::engine {
namespace {

class Training : public ::testing::Test {
 protected:
  Training()
      : objective_(fixtures::small_objective(device_.ctx, {})),
        optimizer_({}, objective_->trainable_parameters()),
        loader_({{fixtures::small_studies_with_reports()}}, fixtures::small_loading(6, 2, 0, 1)),
        trainer_({device_.ctx, *objective_, optimizer_, nullptr, loader_, fixtures::small_reading({}), global_, sync_},
                 {.seed = 7, .schedule = {.kind = optim::ScheduleKind::constant, .peak = 1e-3}}) {}

  TrainingEvents recording() {
    TrainingEvents events;
    events.report = [this](const TrainingReport& report) {
      reports_.push_back(report.step);
      values_ = report.values;
    };
    events.evaluate = [this](std::int64_t step) { evaluations_.push_back(step); };
    events.checkpoint = [this](std::int64_t step) { checkpoints_.push_back(step); };
    return events;
  }

  using Steps = std::vector<std::int64_t>;

  fixtures::ReferenceDevice device_;
  std::unique_ptr<objectives::ImageTextObjective> objective_;
  optim::Optimizer optimizer_;
  data::Loader loader_;
  objectives::GlobalBatch global_;
  parallel::GradientSync sync_;
  Trainer trainer_;
  std::unique_ptr<comm::Communicator> world_ = comm::make_local();
  Steps reports_, evaluations_, checkpoints_;
  std::vector<std::pair<std::string, double>> values_;
};

TEST_F(Training, DoesEachThingInItsTime) {
  EXPECT_TRUE(
      train(trainer_, *world_, {.steps = 7, .log_every = 2, .eval_every = 3, .checkpoint_every = 5}, recording()));
  EXPECT_EQ(reports_, (Steps{2, 4, 6, 7}));
  EXPECT_EQ(evaluations_, (Steps{3, 6, 7}));
  EXPECT_EQ(checkpoints_, (Steps{5, 7}));
}

TEST_F(Training, GoesOnWhereItWas) {
  trainer_.set_steps_done(5);
  EXPECT_TRUE(train(trainer_, *world_, {.steps = 7, .log_every = 1}, recording()));
  EXPECT_EQ(reports_, (Steps{6, 7}));
  EXPECT_TRUE(train(trainer_, *world_, {.steps = 7, .log_every = 1}, recording())) << "nothing is left to do";
  EXPECT_EQ(reports_, (Steps{6, 7}));
}

TEST_F(Training, StopsBehindACheckpoint) {
  auto events = recording();
  events.stop = [this] { return trainer_.steps_done() >= 3; };
  EXPECT_FALSE(train(trainer_, *world_, {.steps = 9, .log_every = 0}, events));
  EXPECT_EQ(checkpoints_, Steps{3});
  EXPECT_EQ(reports_, Steps{3});
  EXPECT_TRUE(evaluations_.empty());
}

TEST_F(Training, LeavesACheckpointWhenTheTimeIsUp) {
  EXPECT_TRUE(train(trainer_, *world_, {.steps = 3, .log_every = 0, .checkpoint_seconds = 1e-9}, recording()));
  EXPECT_EQ(checkpoints_, (Steps{1, 2, 3}));
}

TEST_F(Training, SaysHowFastItIs) {
  train(trainer_, *world_, {.steps = 2, .log_every = 2, .peak_flops = 1e12}, recording());
  const auto value = [this](const std::string& name) {
    const auto at = std::ranges::find(values_, name, &std::pair<std::string, double>::first);
    return at == values_.end() ? -1 : at->second;
  };
  EXPECT_NEAR(value("share_of_peak"), value("tflops"), 1e-12) << "of a peak of one TFLOP/s";
  for (const char* name : {"loss", "lr", "gradient_norm", "logit_scale", "studies_per_second", "tokens_per_second",
                           "seconds/input", "seconds/forward", "seconds/backward", "seconds/optimizer"})
    EXPECT_GT(value(name), 0) << name;
}

TEST_F(Training, ALossThatIsNotFiniteChangesNothing) {
  auto& weight = *objective_->parameter("visual.head.proj.weight");
  const auto before = device_.ctx.to_host<double>(objective_->parameter("visual.trunk.norm.weight")->master());
  weight.assign(device_.ctx, nn::tensor_from(device_.ctx, DType::f64, weight.spec().shape,
                                             std::vector<double>(static_cast<std::size_t>(weight.spec().shape.numel()),
                                                                 std::numeric_limits<double>::quiet_NaN())));
  const std::string said = fixtures::message_of([this] { trainer_.step(); }, ErrorKind::numeric);
  EXPECT_NE(said.find("the loss of step 0 is"), std::string::npos) << said;
  EXPECT_EQ(device_.ctx.to_host<double>(objective_->parameter("visual.trunk.norm.weight")->master()), before);
}

}  // namespace
}  // namespace strata::engine
