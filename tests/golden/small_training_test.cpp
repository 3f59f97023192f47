// SPDX-License-Identifier: Apache-2.0
//
// 200 AdamW steps of a small encoder against PyTorch's: gradients and losses in double precision on the reference
// backend, losses in single precision on the others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "strata/engine/model_state.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/optimizer.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/golden_data.hpp"
#include "tests/fixtures/golden_file.hpp"

namespace strata {
namespace {

using autograd::Tape;
using autograd::Variable;

class SmallTraining {
 public:
  SmallTraining(Context ctx, DType dtype, autograd::Checkpointing checkpointing = autograd::Checkpointing::none)
      : ctx_(std::move(ctx)),
        file_(fixtures::golden_data("small_hlip_f64")),
        checkpointing_(checkpointing),
        model_(fixtures::golden_model(ctx_, dtype, file_)) {}

  // Forward and backward of step t: the mean over studies of 1 − embedding · target.
  double loss_and_gradients(std::int64_t step) {
    const Tensor volumes = file_.load("in.volume"),
                 targets = file_.load("in.target");  // [4, B·N, 1, D, H, W], [4, B, width]
    const std::int64_t cycle = step % volumes.dim(0);
    models::StudyBatch batch;
    batch.scans = part(volumes, cycle, {4, 1, 4, 16, 16});
    batch.study_offsets = {0, 2, 4};
    batch.ordinals = {0, 1};
    batch.scan_positions = {0, 1, 0, 1};
    Tape tape(ctx_, {.checkpointing = checkpointing_});
    const Variable embedding = tape.apply1(ops::L2Normalize{}, {model_->forward(tape, batch)});
    const Variable similarity = tape.apply1(
        ops::Mul{}, {embedding, tape.constant(ops::cast(ctx_, part(targets, cycle, {2, 16}), embedding.dtype()))});
    const Variable sum = tape.apply1(ops::Reduce{.everything = true}, {similarity});
    tape.backward(tape.apply1(ops::Scale{-0.5}, {sum}));
    return 1 - ctx_.item(sum.value()) / 2;
  }

  std::vector<double> train(std::int64_t steps) {
    optim::Optimizer optimizer({.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-6}, model_->parameters());
    std::vector<double> losses;
    for (std::int64_t t = 0; t < steps; ++t) {
      losses.push_back(loss_and_gradients(t));
      optimizer.step(ctx_, {.lr = 1e-3, .weight_decay = 0.2});
      optimizer.clear_gradients();
    }
    return losses;
  }

  Context& ctx() { return ctx_; }
  const io::SafetensorsFile& file() const { return file_; }
  const models::HlipVisualEncoder& model() const { return *model_; }

 private:
  Tensor part(const Tensor& whole, std::int64_t index, const Shape& shape) {
    return ctx_.upload(whole.slice(0, index, index + 1).reshape(shape));
  }

  Context ctx_;
  io::SafetensorsFile file_;
  autograd::Checkpointing checkpointing_;
  std::unique_ptr<models::HlipVisualEncoder> model_;
};

TEST(SmallTraining, FirstGradientsInDoublePrecision) {
  const auto backends = conformance::make_backends();
  SmallTraining training(backends.front().context(), DType::f64);
  EXPECT_NEAR(training.loss_and_gradients(0), fixtures::golden_loss(training.file()), 1e-12);
  double worst = 0;
  for (const auto& parameter : training.model().trainable_parameters()) {
    const Tensor theirs = training.file().load("grad." + parameter->name()),
                 ours = training.ctx().download(parameter->grad());
    if (parameter->name().ends_with("qkv.bias")) {
      const std::int64_t width = ours.dim(0) / 3;  // the key's part is zero but for rounding
      for (std::int64_t i = 0; i < ours.dim(0); ++i)
        EXPECT_NEAR(ours.data<double>()[i], theirs.data<double>()[i], i / width == 1 ? 1e-14 : 1e-10);
      continue;
    }
    const double error = fixtures::relative_error(training.ctx(), ours, theirs);
    EXPECT_LE(error, 1e-10) << parameter->name();
    worst = std::max(worst, error);
  }
  fmt::print("first gradients: worst relative error {:.1e}\n", worst);
}

double worst_loss(const std::vector<double>& ours, const Tensor& theirs) {
  double worst = 0;
  for (std::size_t t = 0; t < ours.size(); ++t) worst = std::max(worst, std::abs(ours[t] - theirs.data<double>()[t]));
  return worst;
}

TEST(SmallTraining, LossesInDoublePrecisionOnTheReferenceBackend) {
  const auto backends = conformance::make_backends();
  SmallTraining training(backends.front().context(), DType::f64);
  const double worst = worst_loss(training.train(200), training.file().load("out.losses"));
  EXPECT_LE(worst, 1e-9);
  fmt::print("200 losses in f64: worst difference {:.1e}\n", worst);
}

TEST(SmallTraining, LossesInSinglePrecisionOnEveryOtherBackend) {
  for (const auto& backend : conformance::make_backends()) {
    if (backend.name == "reference") continue;
    SmallTraining training(backend.context(), DType::f32);
    const auto losses = training.train(200);
    const double worst = worst_loss(losses, training.file().load("out.losses"));
    EXPECT_LE(worst, 1e-4) << backend.name;
    fmt::print("200 losses in f32 on {}: worst difference {:.1e}\n", backend.name, worst);

    if (backend.name.find(' ') != std::string::npos) continue;  // "cpu avx2" and the like
    SmallTraining again(backend.context(), DType::f32, autograd::Checkpointing::full);
    const auto replayed = again.train(20);
    EXPECT_TRUE(std::equal(replayed.begin(), replayed.end(), losses.begin()))
        << "with every block run again in backward, on " << backend.name;
  }
}

}  // namespace
}  // namespace strata
