// SPDX-License-Identifier: Apache-2.0
//
// Micro-batches that travel while the device works, judged by the training they feed.
#include <gtest/gtest.h>

#include "strata/engine/trainer.hpp"
#include "tests/fixtures/deferred_device.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"

namespace strata::engine {
namespace {

constexpr std::int64_t kBatch = 12;

// A training of some steps on a device.
struct TrainingRun {
  TrainingRun(const Context& on, std::vector<data::WeightedSet> sets, std::int64_t micro_batches)
      : ctx(on),
        objective(fixtures::small_objective(ctx, {})),
        optimizer({}, objective->trainable_parameters()),
        loader(std::move(sets), fixtures::small_loading(kBatch, micro_batches, 0, 1)),
        trainer({ctx, *objective, optimizer, nullptr, loader, fixtures::small_reading({}), global, sync},
                {.seed = 7, .schedule = {.kind = optim::ScheduleKind::constant, .peak = 1e-2}, .clip = 1}) {}

  Context ctx;
  std::unique_ptr<objectives::ImageTextObjective> objective;
  optim::Optimizer optimizer;
  data::Loader loader;
  objectives::GlobalBatch global;
  parallel::GradientSync sync;
  Trainer trainer;
};

std::vector<data::WeightedSet> small_sets() { return {{fixtures::small_studies_with_reports()}}; }

TEST(Feed, GivesTheSameTrainingOnADeviceThatIsLate) {
  for (const std::int64_t micro_batches : {1, 3}) {
    SCOPED_TRACE(micro_batches);
    fixtures::ReferenceDevice here;
    fixtures::DeferredDevice late;
    TrainingRun expected(here.ctx, small_sets(), micro_batches), run(late.ctx, small_sets(), micro_batches);
    for (int step = 0; step < 5; ++step) {
      const StepReport a = expected.trainer.step(), b = run.trainer.step();
      EXPECT_EQ(a.loss, b.loss) << step;
      EXPECT_EQ(a.gradient_norm, b.gradient_norm) << step;
      EXPECT_EQ(a.work.tokens, b.work.tokens) << step;
    }
    EXPECT_EQ(late.backend->sent, 5 * micro_batches + 1) << "each micro-batch once, and one ahead";
  }
}

TEST(Feed, RemembersWhatWasTakenAheadAsStillToCome) {
  for (const std::int64_t micro_batches : {1, 3}) {
    fixtures::DeferredDevice late;
    TrainingRun run(late.ctx, small_sets(), micro_batches);
    EXPECT_EQ(run.trainer.loader_state().position, 0);
    for (int step = 1; step <= 3; ++step) {
      run.trainer.step();
      EXPECT_EQ(run.trainer.loader_state().position, step * kBatch);
    }
    TrainingRun other(late.ctx, small_sets(), micro_batches);
    other.loader.seek(run.trainer.loader_state());
    other.trainer.set_steps_done(3);
    EXPECT_EQ(other.trainer.step().studies, kBatch);
    EXPECT_EQ(other.trainer.loader_state().position, 4 * kBatch);
  }
}

// Reads of some study fail.
class BrokenSource final : public data::StudySource {
 public:
  BrokenSource(std::shared_ptr<const data::StudySource> inner, std::int64_t broken)
      : inner_(std::move(inner)), broken_(broken) {}
  const std::string& name() const override { return inner_->name(); }
  std::int64_t studies() const override { return inner_->studies(); }
  const study::StoredGrid& grid() const override { return inner_->grid(); }
  const std::vector<std::string>& label_names() const override { return inner_->label_names(); }
  std::int64_t scans(std::int64_t study) const override { return inner_->scans(study); }
  std::string_view key(std::int64_t study) const override { return inner_->key(study); }
  std::string_view split(std::int64_t study) const override { return inner_->split(study); }
  std::int64_t fold(std::int64_t study) const override { return inner_->fold(study); }
  std::span<const float> labels(std::int64_t study) const override { return inner_->labels(study); }
  std::vector<std::string> report(std::int64_t study) const override { return inner_->report(study); }
  void read(std::span<const data::ReadRequest> requests) const override {
    for (const auto& request : requests)
      if (request.study == broken_) fail(ErrorKind::data, "broken source", "the study cannot be read");
    inner_->read(requests);
  }

 private:
  std::shared_ptr<const data::StudySource> inner_;
  std::int64_t broken_;
};

// What is wrong with the next step is no reason to lose this one.
TEST(Feed, AnErrorAheadIsThrownInItsOwnStep) {
  fixtures::ReferenceDevice here;
  TrainingRun plain(here.ctx, small_sets(), 1);
  const auto second = plain.loader.plan(1);
  const auto broken = second.studies[static_cast<std::size_t>(second.micro_batches[0].members[0])].ref.study;
  ASSERT_TRUE(std::ranges::none_of(plain.loader.plan(0).studies, [&](const auto& s) { return s.ref.study == broken; }));
  fixtures::DeferredDevice late;
  TrainingRun run(late.ctx, {{std::make_shared<BrokenSource>(fixtures::small_studies_with_reports(), broken)}}, 1);
  EXPECT_EQ(run.trainer.step().loss, plain.trainer.step().loss);
  EXPECT_EQ(run.trainer.loader_state().position, kBatch);
  const std::string said = fixtures::message_of([&] { run.trainer.step(); }, ErrorKind::data);
  EXPECT_NE(said.find("cannot be read"), std::string::npos) << said;
  EXPECT_EQ(run.trainer.steps_done(), 1);
}

}  // namespace
}  // namespace strata::engine
