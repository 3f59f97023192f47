// SPDX-License-Identifier: Apache-2.0
//
// A small task, learned in f32 and in mixed precision: which of eight places of a study holds a bright spot, for 48
// studies that come again and again. The f32 runs differ in their start and in the order of their data; the band
// between them is what a change of precision may cost.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "strata/base/random.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/gradient_norm.hpp"
#include "strata/optim/optimizer.hpp"
#include "tests/conformance/backends.hpp"

namespace strata {
namespace {

constexpr int kSteps = 500, kWindow = 50, kBatches = 6;
constexpr std::int64_t kStudies = 8, kPlaces = 8;
constexpr std::int64_t kDepth = 4, kHeight = 16, kWidth = 16, kVoxels = kDepth * kHeight * kWidth;

models::HierarchicalVit3dConfig small_config() {
  models::HierarchicalVit3dConfig config;
  config.name = "small";
  config.image = {kDepth, kHeight, kWidth};
  config.patch = {2, 8, 8};
  config.width = 48;
  config.heads = 2;
  config.depth = 3;
  config.max_scans = 3;
  config.joint_width = kPlaces;
  config.slice_blocks = {0};
  config.scan_blocks = {1};
  config.study_blocks = {2};
  return config;
}

double draw(std::uint64_t seed, std::uint64_t element) {  // uniform in (0, 1)
  return static_cast<double>(uniform_float(random_word({seed, RandomPurpose::test}, {}, element)));
}

// Studies of one to three noisy scans; in one scan of each, a spot of 2 × 4 × 4 voxels at its class's corner.
struct Batch {
  models::StudyBatch studies;
  Tensor classes;
};
Batch drawn_batch(const Context& ctx, std::uint64_t seed) {
  models::StudyBatch batch;
  batch.study_offsets = {0};
  std::vector<std::int64_t> classes;
  std::vector<float> voxels;
  std::uint64_t element = 0;
  for (std::int64_t b = 0; b < kStudies; ++b) {
    const auto scans = 1 + static_cast<std::int64_t>(3 * draw(seed, element++));
    const auto place = static_cast<std::int64_t>(kPlaces * draw(seed, element++));
    const auto bright = static_cast<std::int64_t>(static_cast<double>(scans) * draw(seed, element++));
    for (std::int64_t scan = 0; scan < scans; ++scan)
      for (std::int64_t i = 0; i < kVoxels; ++i) {
        const std::int64_t d = i / (kHeight * kWidth), h = i / kWidth % kHeight, w = i % kWidth;
        const auto inside = [](std::int64_t x, std::int64_t half, std::int64_t extent, bool high) {
          const std::int64_t begin = (high ? half : 0) + half / 4;
          return x >= begin && x < begin + extent;
        };
        const bool spot = scan == bright && inside(d, kDepth / 2, 2, (place & 4) != 0) &&
                          inside(h, kHeight / 2, 4, (place & 2) != 0) && inside(w, kWidth / 2, 4, (place & 1) != 0);
        voxels.push_back(static_cast<float>(draw(seed, element++) + (spot ? 2 : 0)));
      }
    classes.push_back(place);
    batch.study_offsets.push_back(batch.study_offsets.back() + scans);
    batch.ordinals.push_back(b);
  }
  batch.scans = ctx.tensor(voxels, {batch.study_offsets.back(), 1, kDepth, kHeight, kWidth});
  models::normalise_intensity(batch, 1);
  return {batch, ctx.tensor(classes, {kStudies})};
}

// Mean losses of windows of kWindow steps.
std::vector<double> learn(Context& ctx, DType dtype, std::uint64_t seed) {
  models::HlipVisualEncoder model(ctx, dtype, small_config());
  nn::initialise(ctx, model, seed);
  optim::Optimizer optimizer({.beta2 = 0.98}, model.trainable_parameters());
  std::vector<double> windows;
  for (int step = 0; step < kSteps; ++step) {
    if (step % kWindow == 0) windows.push_back(0);
    const Batch batch = drawn_batch(ctx, 1000 * seed + static_cast<std::uint64_t>(step % kBatches));
    autograd::Tape tape(ctx, {.seed = seed});
    const auto logits = tape.apply1(ops::Cast{DType::f32}, {model.forward(tape, batch.studies)});
    const auto losses = tape.apply(ops::CrossEntropy{}, {logits, tape.constant(batch.classes)});
    const auto loss = tape.apply1(ops::Reduce{.kind = ops::Reduction::mean, .everything = true}, {losses[0]});
    windows.back() += ctx.item(loss.value()) / kWindow;
    tape.backward(loss);
    const auto norm = optim::gradient_norm(ctx, optimizer, 1, 1);
    optimizer.step(ctx, {.lr = 3e-4 * std::min(1.0, (step + 1) / 50.0), .weight_decay = 0.01}, norm.factor);
    optimizer.clear_gradients();
  }
  return windows;
}

TEST(MixedPrecision, TheLossCurveStaysInsideTheBandOfF32Runs) {
  auto backends = conformance::make_backends();
  const std::string chosen = conformance::backend_from_environment();
  const auto fastest = std::ranges::find(backends, chosen.empty() ? "cpu" : chosen, &conformance::TestBackend::name);
  if (fastest == backends.end()) GTEST_SKIP() << "no cpu backend in this build: the reference one is too slow for this";
  Context ctx = fastest->context();
  std::vector<std::vector<double>> f32, bf16;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    f32.push_back(learn(ctx, DType::f32, seed));
    if (seed <= 3) bf16.push_back(learn(ctx, DType::bf16, seed));
  }
  for (const auto& run : f32) fmt::print("f32  {:.3f}\n", fmt::join(run, " "));
  for (const auto& run : bf16) fmt::print("bf16 {:.3f}\n", fmt::join(run, " "));
  for (std::size_t w = 0; w < f32[0].size(); ++w) {
    double low = 1e9, high = -1e9;
    for (const auto& run : f32) {
      low = std::min(low, run[w]);
      high = std::max(high, run[w]);
    }
    double mean = 0;
    for (std::size_t i = 0; i < bf16.size(); ++i) {
      mean += bf16[i][w] / static_cast<double>(bf16.size());
      // Another precision changes a run by less than another start does.
      EXPECT_LT(std::abs(bf16[i][w] - f32[i][w]), high - low) << "window " << w;
    }
    EXPECT_GE(mean, low) << "window " << w;
    EXPECT_LE(mean, high) << "window " << w;
  }
  for (const auto& run : bf16) EXPECT_LT(run.back(), run.front() / 4) << "nothing was learned";
}

}  // namespace
}  // namespace strata
