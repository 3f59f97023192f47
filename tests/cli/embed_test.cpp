// SPDX-License-Identifier: Apache-2.0
// strata embed: against the same model run in this process, against published values, and every input it must refuse.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "app/wiring.hpp"
#include "io/npy/npy.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/engine/model_state.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/nn/init.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/golden_file.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

const std::string kConfig =
    R"({"img": [4, 16, 16], "patch": [2, 8, 8], "dim": 48, "heads": 2, "depth": 2, "max_num_scans": 3, "scan": [0], "study": [1]})";

models::HierarchicalVit3dConfig small_config() {
  models::HierarchicalVit3dConfig config;
  config.image = {4, 16, 16};
  config.patch = {2, 8, 8};
  config.width = 48;
  config.heads = 2;
  config.depth = 2;
  config.max_scans = 3;
  config.joint_width = 24;
  config.scan_blocks = {0};
  config.study_blocks = {1};
  return config;
}

Tensor ramp(DType dtype, const Shape& shape) {
  Tensor tensor = host_tensor(DType::f32, shape);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data<float>()[i] = static_cast<float>(i % 97) / 97.0f;
  if (dtype == DType::f32) return tensor;
  Tensor result = host_tensor(dtype, shape);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    if (dtype == DType::u8) result.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 256);
    if (dtype == DType::i16) result.data<std::int16_t>()[i] = static_cast<std::int16_t>(i % 1000);
    if (dtype == DType::i32) result.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  }
  return result;
}

// One small model on disk and in memory, made once.
class Embed : public testing::Test {
 protected:
  Embed() : wired_(app::wire_backend("reference")), ctx_(wired_.context()), model_(ctx_, DType::f32, small_config()) {
    nn::initialise(ctx_, model_, 7);
    write_model("model.safetensors", {{"config", kConfig}, {"embedding_dim", "24"}});
    io::write_npy(path("volume.npy"), ramp(DType::f32, {2, 1, 4, 16, 16}));
  }

  std::string path(const std::string& name) const { return folder_.file(name); }

  void write_model(const std::string& name, const io::SafetensorsMetadata& metadata,
                   const std::function<void(StateDict&)>& change = {}) {
    StateDict state;
    for (const auto& entry : engine::model_state(model_)) state.add(entry.name, ctx_.download(entry.value));
    if (change) change(state);
    io::write_safetensors(path(name), state, metadata);
  }

  std::string command(const std::string& volume, const std::string& more = {},
                      const std::string& model = "model.safetensors") const {
    return "embed '" + path(model) + "' '" + path(volume) + "' --to '" + path("out.npy") + "' " + more;
  }

  // The error's first line must end like this, whatever the folder is called.
  void expect_refused(const std::string& arguments, int code, const std::string& part, const std::string& hint) {
    SCOPED_TRACE(arguments);
    const Outcome outcome = strata(arguments);
    EXPECT_EQ(outcome.code, code);
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    const std::string line = hint.empty() ? std::string() : "\n  try:   " + hint;
    EXPECT_NE(outcome.err.find(line), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(path("out.npy")));
  }

  // Unit length embeddings of the studies, by the reference backend in this process.
  Tensor expected(const Tensor& volume, double scale, double shift) {
    models::StudyBatch batch;
    batch.scans = ctx_.upload(volume);
    batch.study_offsets = {0, volume.dim(0)};
    batch.ordinals = {0};
    batch.scale = scale;
    batch.shift = shift;
    autograd::Tape tape(ctx_, {.record = false, .training = false});
    return ctx_.download(tape.apply1(ops::L2Normalize{}, {model_.forward(tape, batch)}).value());
  }

  const fixtures::ScratchFolder folder_;
  app::WiredBackend wired_;
  Context ctx_;
  models::HlipVisualEncoder model_;
};

TEST_F(Embed, GivesWhatTheModelGives) {
  const Outcome outcome = strata(command("volume.npy"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Tensor ours = io::read_npy(path("out.npy"));
  ASSERT_EQ(ours.shape(), Shape({1, 24}));
  const Tensor theirs = expected(io::read_npy(path("volume.npy")), 1 / 0.226, -0.449 / 0.226);
  EXPECT_LT(fixtures::relative_error(ctx_, ours, theirs), 1e-5);
  EXPECT_NE(outcome.out.find("1 study of 2 scans"), std::string::npos) << outcome.out;
}

TEST_F(Embed, SeveralStudiesAnyBackendAnyFormat) {
  StateDict volumes;
  volumes.add("b", ramp(DType::u8, {2, 2, 1, 4, 16, 16}));
  volumes.add("a", ramp(DType::i16, {1, 1, 4, 16, 16}));
  io::write_safetensors(path("v.safetensors"), volumes);
  const std::string base = "embed '" + path("model.safetensors") + "' '" + path("v.safetensors") + "' --to '" +
                           path("out.safetensors") + "' ";
  const Outcome outcome = strata(base + "--tensor b --backend reference");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Tensor ours = io::SafetensorsFile(path("out.safetensors")).load("embedding");
  ASSERT_EQ(ours.shape(), Shape({2, 24}));
  const Tensor both = volumes.at("b").reshape({4, 1, 4, 16, 16});
  for (std::int64_t study = 0; study < 2; ++study) {
    const Tensor theirs = expected(both.slice(0, 2 * study, 2 * study + 2), 1 / (255 * 0.226), -0.449 / 0.226);
    EXPECT_LT(fixtures::relative_error(ctx_, ours.slice(0, study, study + 1), theirs), 1e-5);
  }
  EXPECT_EQ(strata(base + "--tensor a --full-scale 1000").code, 0);
  expect_refused(command("v.safetensors"), 2, "v.safetensors' holds 2 tensors",
                 "choose one with --tensor, such as 'a', 'b'");
  expect_refused(command("v.safetensors", "--tensor c"), 3, "has no tensor called 'c'", "");
  expect_refused(command("v.safetensors", "--tensor a"), 2, "[volume] i16 voxels have no usual range",
                 "say which value stands for 1");
}

TEST_F(Embed, OneThreadAndFeatures) {
  ASSERT_EQ(strata(command("volume.npy", "--threads 1 --features")).code, 0);
  const Tensor features = io::read_npy(path("out.npy"));
  ASSERT_EQ(strata(command("volume.npy")).code, 0);
  const Tensor embedding = io::read_npy(path("out.npy"));
  double length = 0;
  for (int i = 0; i < 24; ++i) length += std::pow(static_cast<double>(features.data<float>()[i]), 2);
  for (int i = 0; i < 24; ++i)
    EXPECT_NEAR(features.data<float>()[i] / std::sqrt(length), embedding.data<float>()[i], 1e-5);
}

TEST_F(Embed, WeightsThatDoNotFit) {
  write_model("anonymous.safetensors", {});
  expect_refused(command("volume.npy", "", "anonymous.safetensors"), 2,
                 "anonymous.safetensors' does not say which model it holds",
                 "name it with --variant: vit_base_singlescan_h2_token2744, ");
  expect_refused(command("volume.npy", "--variant vit_base_multiscan_h2_token1776", "anonymous.safetensors"), 2,
                 "[model] unknown variant 'vit_base_multiscan_h2_token1776'",
                 "did you mean 'vit_base_multiscan_h2_token1176'?");
  expect_refused(command("volume.npy", "--variant vit_base_multiscan_h2_token588"), 3,
                 "does not fit the model\n  missing (", "choose the variant");

  write_model("nan.safetensors", {{"config", kConfig}, {"embedding_dim", "24"}}, [](StateDict& state) {
    state.at("visual.trunk.blocks.1.mlp.fc1.weight").data<float>()[50] = std::numeric_limits<float>::quiet_NaN();
  });
  expect_refused(command("volume.npy", "", "nan.safetensors"), 5,
                 "tensor 'visual.trunk.blocks.1.mlp.fc1.weight' is NaN or infinite at [1, 2]",
                 "the run that wrote these weights diverged");

  write_model("text.safetensors", {{"config", kConfig}, {"embedding_dim", "24"}},
              [](StateDict& state) { state.add("text.x", ramp(DType::f32, {1})); });
  expect_refused(command("volume.npy", "", "text.safetensors"), 3,
                 "does not fit the model\n  not wanted (1):\n    'text.x' F32[1]\n", "choose the variant");
  EXPECT_EQ(strata(command("volume.npy", "--ignore text.", "text.safetensors")).code, 0);
  std::filesystem::remove(path("out.npy"));

  fixtures::write_all(path("empty.safetensors"), "");
  expect_refused(command("volume.npy", "", "empty.safetensors"), 3, "empty.safetensors' is empty\n", "");
  expect_refused(command("volume.npy", "", "none.safetensors"), 3, "none.safetensors': No such file or directory\n",
                 "check the path");
}

TEST_F(Embed, DescriptionsThatContradictTheWeights) {
  const auto refused = [&](const std::string& from, const std::string& to, int code, const std::string& part) {
    std::string config = kConfig;
    config.replace(config.find(from), from.size(), to);
    write_model("m.safetensors", {{"config", config}, {"embedding_dim", "24"}});
    expect_refused(command("volume.npy", "", "m.safetensors"), code, part, "");
  };
  refused("\"heads\": 2", "\"heads\": 5", 2, "[attention] 5 heads do not divide a width of 48\n");
  refused("\"dim\": 48", "\"dim\": 1000000", 3,
          "the metadata 'config' say [1, 1, 1000000] for 'visual.trunk.cls_token', which is [1, 1, 48]");
  refused("\"depth\": 2", "\"depth\": -2", 3, "depth in the metadata 'config' is not a number from 0 to 1,000,000");
  refused("\"depth\": 2", "\"depth\": \"2\"", 3, "depth in the metadata 'config' is not a number from 0 to 1,000,000");
  refused("[4, 16, 16]", "[4, 16]", 3, "img in the metadata 'config' is not a list of three sizes");
  refused("[4, 16, 16]", "[4, 16, 20]", 2, "does not divide into patches");
  refused("\"dim\"", "\"width\"", 3, "the metadata 'config' have the unknown key 'width'");
  refused("{", "[{", 3, "the metadata 'config' are not a JSON object");
  refused("\"study\": [1]", "\"study\": []", 2, "block 1 has 0 attention levels");
  refused("\"scan\": [0]", "\"scan\": [0, 1]", 2, "block 1 has 2 attention levels");
}

TEST_F(Embed, VolumesThatAreRefused) {
  const auto volume = [&](const std::string& name, const Tensor& tensor) { io::write_npy(path(name), tensor); };
  volume("flat.npy", ramp(DType::f32, {4, 16, 16}));
  expect_refused(command("flat.npy"), 3, "flat.npy' has the shape [4, 16, 16]\n",
                 "give one study as [N, 1, D, H, W] or several as [B, N, 1, D, H, W]");
  volume("none.npy", ramp(DType::f32, {0, 1, 4, 16, 16}));
  expect_refused(command("none.npy"), 3, "none.npy' is empty: its shape is [0, 1, 4, 16, 16]\n",
                 "give at least one scan");
  volume("odd.npy", ramp(DType::f32, {1, 1, 4, 20, 16}));
  expect_refused(command("odd.npy"), 2, "[patch embedding] height 20 does not divide into patches of 8\n",
                 "resize or crop the volume");
  volume("channels.npy", ramp(DType::f32, {1, 2, 4, 16, 16}));
  expect_refused(command("channels.npy"), 2, "scans have 2 channels, the model takes 1", "");
  volume("integers.npy", ramp(DType::i32, {1, 1, 4, 16, 16}));
  expect_refused(command("integers.npy"), 3, "integers.npy' has voxels of type i32\n", "save them as u8, i16 or f32");
  Tensor hounsfield = ramp(DType::f32, {1, 1, 4, 16, 16});
  hounsfield.data<float>()[3] = -1000;
  volume("hounsfield.npy", hounsfield);
  expect_refused(command("hounsfield.npy"), 3, "hounsfield.npy' has voxels from -1000 to ", "scale them to [0, 1]");
  hounsfield.data<float>()[260] = std::numeric_limits<float>::infinity();
  volume("infinite.npy", hounsfield);
  expect_refused(command("infinite.npy", "--raw"), 5, "infinite.npy' is NaN or infinite at [0, 0, 0, 1, 0, 4]\n", "");
  fixtures::write_all(path("empty.npy"), "");
  expect_refused(command("empty.npy"), 3, "empty.npy': the file is empty\n", "");
  expect_refused(command("scan.nii"), 2, "scan.nii' is neither .npy nor .safetensors\n", "");
}

TEST_F(Embed, ArgumentsThatAreRefused) {
  const std::string base = "embed '" + path("model.safetensors") + "' '" + path("volume.npy") + "' ";
  expect_failure(base, 2,
                 "error (usage): [arguments] --to is required\n  try:   strata embed --help lists the options\n");
  expect_failure(
      base + "--to x.txt", 2,
      "error (usage): [embed] cannot tell from 'x.txt' how to write\n  try:   end it in .npy or .safetensors\n");
  expect_failure(base + "--to /none/such/x.npy", 4,
                 "error (environment): [embed] there is no folder '/none/such'\n  try:   create the folder first\n");
  expect_refused(command("volume.npy", "--backend references"), 2, "[backend] this build has no backend 'references'\n",
                 "did you mean 'reference'?");
  expect_refused(command("volume.npy", "--full-scale 0"), 2, "--full-scale", "");
  expect_refused(command("volume.npy", "--raw --full-scale 2"), 2, "excludes", "");
  expect_refused(command("volume.npy", "--treads 2"), 2, "--treads", "did you mean '--threads'?");
}

// More scans than a single-scan model takes.
TEST_F(Embed, OneScanAStudy) {
  std::string config = kConfig;
  config.replace(config.find("\"max_num_scans\": 3"), 18, "\"max_num_scans\": 1");
  StateDict state;
  for (const auto& entry : engine::model_state(model_))
    if (entry.name != "visual.trunk.sequential_posemb") state.add(entry.name, ctx_.download(entry.value));
  io::write_safetensors(path("single.safetensors"), state, {{"config", config}, {"embedding_dim", "24"}});
  expect_refused(command("volume.npy", "", "single.safetensors"), 2,
                 "takes one scan a study, but study 0 of the batch has 2", "choose one scan a study");
}

// Weights, volume and embedding of each published run stand in one file.
TEST(EmbedGolden, PublishedEmbeddings) {
  const fixtures::ScratchFolder folder;
  const auto wired = app::wire_backend("reference");
  const Context ctx = wired.context();
  int compared = 0;
  for (const char* name : {"hlip_h2_scan_study", "hlip_h3_slice_scan_study", "hlip_single_h2_slice_study",
                           "hlip_resampled_position", "hlip_ragged_studies", "hlip_dinotxt_dual"}) {
    const auto golden = fixtures::published_golden(name);
    if (!golden) GTEST_SKIP() << "no published golden values: set STRATA_GOLDEN_DIR to their folder";
    const io::SafetensorsFile file(*golden);
    for (const std::string suffix : {"", ".0", ".1"}) {
      if (file.find("in.volume" + suffix) == nullptr) continue;
      const Outcome outcome =
          strata("embed '" + *golden + "' '" + *golden + "' --tensor in.volume" + suffix +
                 " --raw --ignore in. --ignore out. --ignore grad. --to '" + folder.file("out.npy") + "'");
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      EXPECT_LT(
          fixtures::relative_error(ctx, io::read_npy(folder.file("out.npy")), file.load("out.embedding" + suffix)),
          2e-5)
          << name << suffix;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 7);
}

}  // namespace
}  // namespace strata::cli
