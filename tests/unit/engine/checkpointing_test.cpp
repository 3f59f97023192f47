// SPDX-License-Identifier: Apache-2.0
// A training saved and resumed: the same bits afterwards, what differs named, which checkpoints stay.
#include "strata/engine/checkpointing.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "io/checkpoint/checkpoint.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::engine {
namespace {

using fixtures::message_of;

// A matrix, a vector and a buffer.
class SmallModel final : public nn::Module {
 public:
  SmallModel(Context& ctx, DType dtype, std::int64_t width = 4, const std::string& second = "bias") {
    weight_ = make(ctx, "weight", {3, width}, {{"out", 3}, {"in", width}}, dtype, nn::Role::parameter);
    bias_ = make(ctx, second, {3}, {{"out", 3}}, dtype, nn::Role::parameter);
    table_ = make(ctx, "table", {2}, {{"position", 2}}, DType::f32, nn::Role::buffer);
    name_parameters("net");
  }

 private:
  nn::ParameterPtr make(Context& ctx, const std::string& name, const Shape& shape, std::vector<LogicalAxis> axes,
                        DType dtype, nn::Role role) {
    return add(std::make_shared<nn::Parameter>(name, ctx.zeros(dtype, shape), std::move(axes), nn::Init{}, role));
  }
  nn::ParameterPtr weight_, bias_, table_;
};

void set_values(Context& ctx, const nn::Module& model, double first) {
  for (const auto& parameter : model.parameters()) {
    std::vector<float> values(static_cast<std::size_t>(parameter->value().numel()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(first + std::sin(first + static_cast<double>(i)));
    parameter->assign(ctx, ctx.tensor(values, parameter->value().shape()));
  }
}

std::vector<optim::GroupRule> no_rules() { return {}; }

// A training whose gradients follow from step and weights.
struct Training {
  Context& ctx;
  SmallModel model;
  optim::Optimizer optimizer;
  optim::Ema averages;
  io::CheckpointStore& store;
  Checkpointing checkpointing;
  std::int64_t step = 0;

  Training(Context& context, io::CheckpointStore& checkpoints, DType dtype = DType::f32,
           CheckpointingOptions options = {}, double first = 1)
      : ctx(context),
        model(context, dtype),
        optimizer({.algorithm = optim::Algorithm::adamw}, started(context, model, first), no_rules()),
        averages(context, model.parameters()),
        store(checkpoints),
        checkpointing(checkpoints, model, optimizer, &averages, options) {}

  static std::vector<nn::ParameterPtr> started(Context& ctx, const nn::Module& model, double first) {
    set_values(ctx, model, first);
    return model.trainable_parameters();
  }
  void train(std::int64_t until) {
    for (; step < until; ++step) {
      for (const auto& parameter : model.trainable_parameters()) {
        auto values = ctx.to_host<float>(parameter->master());
        for (auto& value : values) value = std::sin(3 * value + static_cast<float>(step));
        parameter->set_grad(ctx.tensor(values, parameter->value().shape()));
      }
      optimizer.step(ctx, {1e-2, 0.1});
      averages.update(ctx, 0.9);
    }
  }
  TrainingFacts facts(std::optional<double> score = {}) const {
    TrainingFacts facts;
    facts.step = step;
    facts.loader = {.seed = 5, .position = step * 48};
    facts.seed = 5;
    facts.ranks = 1;
    facts.score = score;
    return facts;
  }
  void save(std::optional<double> score = {}) {
    checkpointing.save(ctx, facts(score), {{"config.yaml", "step: " + std::to_string(step) + "\n"}});
  }
  std::optional<TrainingFacts> resume(std::optional<std::int64_t> from = {}) {
    auto found = checkpointing.resume(ctx, facts(), from);
    if (found) step = found->step;
    return found;
  }
  // Every bit of the state.
  std::vector<std::string> bits() const {
    std::vector<std::string> all;
    const auto put = [&](const Tensor& tensor) {
      const Tensor host = ctx.download(tensor);
      all.emplace_back(static_cast<const char*>(host.raw()), host.bytes());
    };
    for (const auto& parameter : model.parameters()) {
      put(parameter->value());
      put(parameter->master());
    }
    for (const auto& state : optimizer.state()) put(state.value);
    for (const auto& state : averages.state()) put(state.value);
    return all;
  }
};

class CheckpointingTest : public testing::Test {
 protected:
  std::string path(std::int64_t step) const { return scratch_.file(io::checkpoint_file(step)); }
  void damage(std::int64_t step, std::size_t from_end) {
    std::string bytes = fixtures::read_all(path(step));
    const std::string mark = "\"data_end\":";
    bytes[std::stoul(bytes.substr(bytes.find(mark) + mark.size(), 20)) - from_end] ^= 1;
    fixtures::write_all(path(step), bytes);
  }

  fixtures::ScratchFolder scratch_;
  fixtures::ReferenceDevice device_;
  Context& ctx_ = device_.ctx;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
  std::unique_ptr<io::CheckpointStore> store_ = io::open_checkpoints(scratch_.path().string(), *local_);
};

TEST_F(CheckpointingTest, AResumedTrainingGoesOnBitForBit) {
  for (const auto dtype : {DType::f32, DType::bf16}) {
    SCOPED_TRACE(name_of(dtype));
    Training whole(ctx_, *store_, dtype);
    whole.train(3);
    whole.save();
    whole.train(9);
    Training stopped(ctx_, *store_, dtype, {}, 77);  // from other weights
    const auto facts = stopped.resume();
    ASSERT_TRUE(facts.has_value());
    EXPECT_EQ(facts->loader, (data::LoaderState{.seed = 5, .position = 144}));
    EXPECT_EQ(stopped.checkpointing.texts().at("config.yaml"), "step: 3\n");
    EXPECT_EQ(stopped.averages.updates(), 3);
    stopped.train(9);
    EXPECT_TRUE(stopped.bits() == whole.bits());
  }
}

TEST_F(CheckpointingTest, OfNoStepYetIsOneToo) {
  Training first(ctx_, *store_);
  EXPECT_FALSE(first.resume().has_value());
  first.save();
  first.train(2);
  Training second(ctx_, *store_, DType::f32, {}, 3);
  EXPECT_EQ(second.resume()->step, 0);
  second.train(2);
  EXPECT_TRUE(second.bits() == first.bits());
}

TEST_F(CheckpointingTest, ADamagedOneIsPassedOver) {
  Training training(ctx_, *store_);
  for (const int step : {1, 2, 3}) {
    training.train(step);
    training.save();
  }
  EXPECT_EQ(store_->steps(), (std::vector<std::int64_t>{2, 3}));
  damage(3, 1);
  Training second(ctx_, *store_);
  EXPECT_EQ(second.resume()->step, 2);
  second.train(3);
  EXPECT_TRUE(second.bits() == training.bits());
  second.save();  // over the damaged one
  EXPECT_EQ(Training(ctx_, *store_).resume()->step, 3);
  damage(3, 4000);
  damage(2, 1);
  EXPECT_NE(message_of([&] { Training(ctx_, *store_).resume(); }, ErrorKind::checkpoint)
                .find("none of the 2 checkpoints is whole"),
            std::string::npos);
  EXPECT_NE(message_of([&] { Training(ctx_, *store_).resume(2); }, ErrorKind::checkpoint).find("is damaged"),
            std::string::npos);
}

TEST_F(CheckpointingTest, AnotherModelIsRefusedInOneErrorAndNothingChanges) {
  Training training(ctx_, *store_);
  training.train(1);
  training.save();
  SmallModel wide(ctx_, DType::f32, 5, "shift");
  optim::Optimizer optimizer({}, wide.trainable_parameters(), no_rules());
  Checkpointing other(*store_, wide, optimizer, nullptr);
  const auto said = message_of([&] { other.resume(ctx_, {}); }, ErrorKind::checkpoint);
  for (const std::string part :
       {"is a checkpoint of another model or optimizer", "'net.weight' f32[3, 4] there, f32[3, 5] here",
        "4 tensors of this model are not in it ('net.shift' but", "tensors in it have no place here"})
    EXPECT_NE(said.find(part), std::string::npos) << said;
  for (const auto& parameter : wide.parameters())
    for (const float value : ctx_.to_host<float>(parameter->master())) EXPECT_EQ(value, 0);
  EXPECT_NE(message_of([&] { load_weights(ctx_, *store_->open(1), wide, false); }, ErrorKind::checkpoint)
                .find("'net.weight'"),
            std::string::npos);
}

TEST_F(CheckpointingTest, TheLastOnesAndTheBestStay) {
  Training training(ctx_, *store_);
  const std::vector<std::optional<double>> scores{0.5, 0.9, {}, 0.9, 0.7, std::nan(""), 0.1};
  for (const auto& score : scores) {
    training.train(training.step + 1);
    training.save(score);
  }
  EXPECT_EQ(store_->steps(), (std::vector<std::int64_t>{4, 6, 7}));
  EXPECT_EQ(training.checkpointing.best_step(), 4);
  Training second(ctx_, *store_, DType::f32, {.keep = 1, .highest_best = false});  // reads the scores again
  EXPECT_EQ(second.checkpointing.best_step(), 7);
  EXPECT_EQ(second.resume()->step, 7);
  second.train(8);
  second.save(0.3);
  EXPECT_EQ(store_->steps(), (std::vector<std::int64_t>{7, 8}));
  Training all(ctx_, *store_, DType::f32, {.keep = 0});
  EXPECT_EQ(all.resume()->step, 8);
  for (const int step : {9, 10, 11}) {
    all.train(step);
    all.save();
  }
  EXPECT_EQ(store_->steps().size(), 5U);
}

TEST_F(CheckpointingTest, AnEarlierStepLeavesTheLaterOnesBehind) {
  Training training(ctx_, *store_, DType::f32, {.keep = 0});
  for (const int step : {10, 20, 30}) {
    training.train(step);
    training.save(step * 0.01);
  }
  Training again(ctx_, *store_);
  EXPECT_EQ(again.resume(10)->step, 10);
  EXPECT_EQ(store_->steps(), (std::vector<std::int64_t>{10, 20, 30}));  // until something new stands
  again.train(15);
  again.save();
  EXPECT_EQ(store_->steps(), (std::vector<std::int64_t>{10, 15}));
  EXPECT_EQ(again.checkpointing.best_step(), 10);
  EXPECT_NE(message_of([&] { again.resume(99); }, ErrorKind::checkpoint).find("has no checkpoint of step 99"),
            std::string::npos);
}

TEST_F(CheckpointingTest, WeightsOrAveragesForEvaluation) {
  Training training(ctx_, *store_, DType::bf16);
  training.train(4);
  training.save();
  const auto stored = store_->open(4);
  EXPECT_TRUE(has_averages(*stored));
  SmallModel plain(ctx_, DType::f32), averaged(ctx_, DType::f32);
  load_weights(ctx_, *stored, plain, false);
  load_weights(ctx_, *stored, averaged, true);
  const auto parameters = training.model.parameters();
  const auto averages = training.averages.state();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto master = ctx_.to_host<float>(parameters[i]->master());
    EXPECT_EQ(ctx_.to_host<float>(plain.parameters()[i]->master()), master);
    const bool buffer = parameters[i]->role() == nn::Role::buffer;
    EXPECT_EQ(ctx_.to_host<float>(averaged.parameters()[i]->master()),
              buffer ? master : ctx_.to_host<float>(averages[i].value));
  }
  Checkpointing without(*store_, training.model, training.optimizer, nullptr);
  without.save(ctx_, {.step = 5}, {});
  EXPECT_NE(message_of([&] { load_weights(ctx_, *store_->open(5), averaged, true); }, ErrorKind::usage)
                .find("holds no averaged weights"),
            std::string::npos);
}

TEST_F(CheckpointingTest, NothingIsSavedOrResumedWhileTheAveragesStandInTheModel) {
  Training training(ctx_, *store_);
  training.train(1);
  training.averages.swap(ctx_);
  EXPECT_NE(message_of([&] { training.save(); }, ErrorKind::usage).find("swap the weights back"), std::string::npos);
  EXPECT_NE(message_of([&] { training.resume(); }, ErrorKind::usage).find("swap the weights back"), std::string::npos);
}

TEST(TrainingFactsText, GoesToJsonAndBack) {
  TrainingFacts facts;
  facts.step = 1'234'567;
  facts.loader = {.seed = ~std::uint64_t{0}, .position = 987'654'321'012};
  facts.seed = 0xfedcba9876543210u;
  facts.studies = 59'259'216;
  facts.seconds = 12.25;
  facts.score = 0.1 + 0.2;
  facts.score_name = "eval/auroc";
  facts.ranks = 8;
  facts.threads = 16;
  facts.plan = "data 8";
  facts.backend = "cpu";
  facts.dtype = "bf16";
  facts.instruction_set = "avx2";
  facts.build = "1.0 \"abc\"";
  EXPECT_EQ(facts_from_json(facts_to_json(facts), "x"), facts);
  facts.score = std::nan("");
  EXPECT_FALSE(facts_from_json(facts_to_json(facts), "x").score.has_value());
  for (const std::string text : {"", "{", "[]", "{\"step\": \"x\"}", "{\"step\": 1}"})
    EXPECT_NE(message_of([&] { facts_from_json(text, "run/step.h5"); }, ErrorKind::checkpoint).find("'run/step.h5'"),
              std::string::npos);
}

}  // namespace
}  // namespace strata::engine
