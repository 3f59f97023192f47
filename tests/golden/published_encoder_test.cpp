// SPDX-License-Identifier: Apache-2.0
//
// The published encoder's outputs and gradients, on every backend, in every checkpointing mode: in f32, and in mixed
// precision (a bf16 model) against the same f32 values.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/reduce.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/golden_file.hpp"

namespace strata {
namespace {

using autograd::Checkpointing;
using autograd::Tape;
using autograd::Variable;
using fixtures::relative_error;

struct Allowed {
  double error;  // of every output and gradient, relative
  double loss;   // absolute
};
constexpr Allowed kF32{2e-5, 1e-5}, kMixed{2e-2, 2e-2};

// Volumes [B, N, 1, D, H, W] of one or more published runs, packed one behind the other.
models::StudyBatch packed(const Context& ctx, const io::SafetensorsFile& file,
                          const std::vector<std::string>& suffixes) {
  models::StudyBatch batch;
  batch.study_offsets = {0};
  std::vector<float> voxels;
  Shape scan;
  for (const auto& suffix : suffixes) {
    const Tensor volume = file.load("in.volume" + suffix);
    scan = Shape{volume.dim(2), volume.dim(3), volume.dim(4), volume.dim(5)};
    for (std::int64_t b = 0; b < volume.dim(0); ++b) {
      batch.study_offsets.push_back(batch.study_offsets.back() + volume.dim(1));
      batch.ordinals.push_back(static_cast<std::int64_t>(batch.ordinals.size()));
    }
    voxels.insert(voxels.end(), volume.data<float>(), volume.data<float>() + volume.numel());
  }
  batch.scans = ctx.tensor(voxels, {batch.study_offsets.back(), scan[0], scan[1], scan[2], scan[3]});
  if (const auto* entry = file.find("in.scan_positions")) {
    const Tensor positions = file.load(*entry);  // one draw for all studies of the batch
    for (std::int64_t b = 0; b < batch.studies(); ++b)
      for (std::int64_t i = 0; i < positions.numel(); ++i)
        batch.scan_positions.push_back(positions.data<std::int64_t>()[i]);
  }
  return batch;
}

Tensor joined(const Context& ctx, const io::SafetensorsFile& file, const std::string& name,
              const std::vector<std::string>& suffixes) {
  std::vector<float> values;
  Shape shape;
  for (const auto& suffix : suffixes) {
    const Tensor part = file.load(name + suffix);
    shape = part.shape();
    values.insert(values.end(), part.data<float>(), part.data<float>() + part.numel());
  }
  return ctx.tensor(values, shape.with(0, static_cast<std::int64_t>(values.size()) / (shape.numel() / shape[0])));
}

struct Case {
  std::string name;
  std::string backend;
  Checkpointing checkpointing;
  DType dtype;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& backend : conformance::make_backends())
    for (const char* name :
         {"hlip_h2_scan_study", "hlip_h2_scan_study_batch", "hlip_h3_slice_scan_study", "hlip_single_h2_slice_study",
          "hlip_resampled_position", "hlip_ragged_studies", "hlip_dinotxt_dual"})
      for (const auto mode : {Checkpointing::none, Checkpointing::selective, Checkpointing::full})
        for (const auto dtype : {DType::f32, DType::bf16})
          if (mode == Checkpointing::none || backend.name.find(' ') == std::string::npos)
            cases.push_back({name, backend.name, mode, dtype});  // "cpu avx2": once
  return cases;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name << " in " << name_of(c.dtype) << " on " << c.backend; }

std::string title(const testing::TestParamInfo<Case>& info) {
  constexpr const char* kModes[] = {"none", "selective", "full"};
  std::string text = info.param.name + "_" + std::string(name_of(info.param.dtype)) + "_" + info.param.backend + "_" +
                     kModes[static_cast<int>(info.param.checkpointing)];
  std::ranges::replace_if(
      text, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return text;
}

class PublishedEncoder : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto path = fixtures::published_golden(GetParam().name);
    if (!path) GTEST_SKIP() << "no published golden values: set STRATA_GOLDEN_DIR to their folder";
    file_.emplace(*path);
    backends_ = conformance::make_backends();
    const auto& chosen = *std::ranges::find(backends_, GetParam().backend, &conformance::TestBackend::name);
    ctx_.emplace(chosen.context());
    if (file_->find("in.volume.0")) suffixes_ = {".0", ".1"};
  }

  void expect_close(const std::string& what, const Tensor& ours, const Tensor& theirs) {
    const double error = relative_error(*ctx_, ours, theirs);
    EXPECT_LE(error, allowed().error) << what;
    if (error > worst_) worst_of_ = what;
    worst_ = std::max(worst_, error);
  }
  static const Allowed& allowed() { return GetParam().dtype == DType::f32 ? kF32 : kMixed; }
  void expect_output(const std::string& name, const Tensor& ours) {
    if (file_->find(name + suffixes_[0])) expect_close(name, ours, joined(*ctx_, *file_, name, suffixes_));
  }
  void expect_gradients(const models::HlipVisualEncoder& model);
  void expect_qkv_bias(const std::string& what, const Tensor& ours, const Tensor& theirs);

  std::optional<io::SafetensorsFile> file_;
  std::deque<conformance::TestBackend> backends_;
  std::optional<Context> ctx_;
  std::vector<std::string> suffixes_{""};
  double worst_ = 0;
  std::string worst_of_;
};

// q, k, v one behind the other. The key's true gradient is zero: what is found there are the rounding errors of what
// cancels. The query's nearly cancels too (its terms are differences from their mean), so in mixed precision it is
// judged as part of its tensor.
void PublishedEncoder::expect_qkv_bias(const std::string& what, const Tensor& ours, const Tensor& theirs) {
  const bool mixed = GetParam().dtype != DType::f32;
  const std::int64_t width = ours.dim(0) / 3;
  const auto part = [&](const Tensor& x, std::int64_t i) { return x.slice(0, i * width, (i + 1) * width); };
  const Tensor key = part(ours, 1), query = part(theirs, 0);
  double largest = 0;
  for (std::int64_t i = 0; i < width; ++i) largest = std::max(largest, std::fabs(double{query.data<float>()[i]}));
  for (std::int64_t i = 0; i < width; ++i)
    EXPECT_NEAR(key.data<float>()[i], 0, mixed ? 0.1 * largest : 1e-5) << what << ", key " << i;
  if (!mixed) {
    expect_close(what + ", query", part(ours, 0), part(theirs, 0));
    expect_close(what + ", value", part(ours, 2), part(theirs, 2));
    return;
  }
  ops::fill(*ctx_, ours.slice(0, width, 2 * width), 0);
  ops::fill(*ctx_, theirs.slice(0, width, 2 * width), 0);
  expect_close(what, ours, theirs);
}

void PublishedEncoder::expect_gradients(const models::HlipVisualEncoder& model) {
  int compared = 0;
  for (const auto& parameter : model.parameters()) {
    const auto* entry = file_->find("grad." + parameter->name());
    ASSERT_EQ(entry != nullptr, parameter->trainable()) << parameter->name();
    if (!entry) continue;
    ++compared;
    const Tensor ours = ctx_->download(parameter->grad()), theirs = file_->load(*entry);
    if (!parameter->name().ends_with("qkv.bias")) {
      expect_close("gradient of " + parameter->name(), ours, theirs);
      continue;
    }
    expect_qkv_bias("gradient of " + parameter->name(), ours, theirs);
  }
  EXPECT_GT(compared, 30);
}

TEST_P(PublishedEncoder, OutputsAndGradients) {
  const auto model = fixtures::golden_model(*ctx_, GetParam().dtype, *file_);
  Tape tape(*ctx_, {.training = false, .checkpointing = GetParam().checkpointing});
  const models::StudyBatch batch = packed(*ctx_, *file_, suffixes_);
  if (GetParam().checkpointing != Checkpointing::full)
    for (std::size_t i = 0; i < model->trunk.blocks.size(); ++i)
      model->trunk.blocks[i]->hooks().after = [this, i](Tape&, const Variable& x) {
        expect_output(fmt::format("out.block.{}", i), x.value());
        return x;
      };
  {
    const Variable feature = model->forward(tape, batch);
    const Variable embedding = tape.apply1(ops::L2Normalize{}, {feature});
    expect_output("out.feature", feature.value());
    expect_output("out.embedding", embedding.value());
    const Tensor cotangent = joined(*ctx_, *file_, "in.cotangent", suffixes_);
    const Variable loss =
        tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {embedding, tape.constant(cotangent)})});
    EXPECT_NEAR(ctx_->item(loss.value()), fixtures::golden_loss(*file_), allowed().loss);
    tape.backward(loss);
  }
  expect_gradients(*model);
  RecordProperty("worst_relative_error", fmt::format("{:.2e}", worst_));
  fmt::print("worst relative error {:.2e}, {}\n", worst_, worst_of_);
}

TEST_P(PublishedEncoder, AllTokens) {
  if (GetParam().checkpointing != Checkpointing::none) return;
  const auto model = fixtures::golden_model(*ctx_, GetParam().dtype, *file_);
  Tape tape(*ctx_, {.record = false, .training = false});
  const models::StudyBatch batch = packed(*ctx_, *file_, suffixes_);
  const nn::Tokens tokens = model->trunk.features(tape, batch, model->layout(tape, batch));
  if (suffixes_.size() == 1) {
    expect_output("out.tokens", tokens.rows.value());
  } else {
    for (std::size_t b = 0; b < suffixes_.size(); ++b) {
      const auto& studies = tokens.sequences().segments;
      const auto at = static_cast<std::int64_t>(b);
      expect_close("out.tokens" + suffixes_[b], tokens.rows.value().slice(0, studies.begin(at), studies.begin(at + 1)),
                   file_->load("out.tokens" + suffixes_[b]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, PublishedEncoder, testing::ValuesIn(all_cases()), title);

}  // namespace
}  // namespace strata
