// SPDX-License-Identifier: Apache-2.0
// strata export and strata embed --data: from a run's checkpoints to files for other programs, on one rank and several.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "app/image_text_model.hpp"
#include "app/wiring.hpp"
#include "io/checkpoint/checkpoint.hpp"
#include "io/hdf5/file.hpp"
#include "io/safetensors/safetensors.hpp"
#include "parallel/comm/local.hpp"
#include "strata/engine/checkpointing.hpp"
#include "strata/engine/model_state.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_run.hpp"
#include "tests/fixtures/small_shards.hpp"

namespace strata::cli {
namespace {

namespace h5 = io::hdf5;

constexpr std::uint64_t kStudies = 10, kWidth = 20;

// A run with checkpoints at steps 1 (the better score) and 2, and a set of ten studies in two shards.
class HandOver : public testing::Test {
 protected:
  HandOver() : wired_(app::wire_backend("reference")), ctx_(wired_.context()), world_(comm::make_local()) {
    run_.train.steps = 2;
    run_.model.image = {6, 4, 5};
    run_.model.patch = {2, 2, 5};
    run_.text.vocabulary = path("vocab.txt");
    fixtures::write_all(path("vocab.txt"), fixtures::kSmallVocabulary);
    std::filesystem::create_directories(path("run"));
    save(1, 0.75);
    save(2, 0.5);
    std::filesystem::create_directories(path("set"));
    fixtures::write_small_set(*world_, path("set"), fixtures::small_set(), 2, 5);
  }

  std::string path(const std::string& name) const { return folder_.file(name); }

  void save(std::int64_t step, double score) {
    run_.seed = static_cast<std::uint64_t>(step);
    auto model = app::build_model(ctx_, run_, "", true);
    optim::Optimizer optimizer(optim::OptimizerConfig{}, model.objective->trainable_parameters());
    const auto store = io::open_checkpoints(path("run/checkpoints"), *world_);
    engine::Checkpointing checkpointing(*store, *model.objective, optimizer, nullptr);
    engine::TrainingFacts facts;
    facts.step = step;
    facts.score = score;
    facts.score_name = "eval/auroc";
    checkpointing.save(ctx_, facts,
                       {{"config.yaml", app::run_schema().dump(run_).dump()}, {"vocab.txt", model.vocabulary}});
    models_[static_cast<std::size_t>(step)] = std::move(model);
  }

  void expect_weights(const std::string& file, std::size_t step) {
    const io::SafetensorsFile read(path(file));
    for (const auto& entry : engine::model_state(models_[step].objective->visual())) {
      const Tensor ours = ctx_.download(entry.value), theirs = read.load(entry.name);
      EXPECT_EQ(0, std::memcmp(ours.raw(), theirs.raw(), ours.bytes())) << entry.name;
    }
  }

  Outcome run(const std::string& arguments, const std::string& launcher = {}) const {
    return strata(arguments, {}, launcher);
  }
  std::string quoted(const std::string& name) const { return "'" + path(name) + "'"; }

  void expect_refused(const std::string& arguments, int code, const std::string& part) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }

  const fixtures::ScratchFolder folder_;
  app::WiredBackend wired_;
  Context ctx_;
  std::unique_ptr<comm::Communicator> world_;
  app::RunConfig run_ = fixtures::small_run();
  std::array<app::ImageTextModel, 3> models_;
};

TEST_F(HandOver, ExportsTheLastOrTheBestCheckpoint) {
  const Outcome last = run("export " + quoted("run") + " --to " + quoted("last.safetensors"));
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_NE(last.out.find(" at step 2: "), std::string::npos) << last.out;
  expect_weights("last.safetensors", 2);
  ASSERT_EQ(run("export --checkpoint " + quoted("run") + " --best --form visual --to " + quoted("b.safetensors")).code,
            0);
  expect_weights("b.safetensors", 1);
  EXPECT_EQ(io::SafetensorsFile(path("b.safetensors")).find("logit_scale"), nullptr);
  const std::string file = path("run/checkpoints/") + io::checkpoint_file(1);
  ASSERT_EQ(run("export '" + file + "' --form huggingface --to " + quoted("bert")).code, 0);
  EXPECT_TRUE(std::filesystem::exists(path("bert/vocab.txt")));
}

TEST_F(HandOver, RefusesWhatIsNoCheckpoint) {
  const std::string to = " --to " + quoted("x.safetensors");
  expect_refused("export " + quoted("none") + to, 2, "there is no '" + path("none") + "'\n");
  expect_refused("export " + quoted("set") + to, 2, "there is no checkpoint in '");
  expect_refused("export '" + path("run/checkpoints/") + io::checkpoint_file(1) + "' --best" + to, 2,
                 "is a single checkpoint\n");
  expect_refused("export " + quoted("vocab.txt") + to, 8, "vocab.txt");
  expect_refused("export " + quoted("run") + " --form onnx" + to, 2, "--form");
  expect_refused("export " + quoted("run") + " --to " + quoted("x.pt"), 2, "does not end in .safetensors");
  EXPECT_FALSE(std::filesystem::exists(path("x.safetensors")));
}

TEST_F(HandOver, EmbedsEveryStudyOfASet) {
  const Outcome outcome = run("embed " + quoted("run") + " --data " + quoted("set") + " --to " + quoted("f.h5"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const h5::File file = h5::File::open(path("f.h5"));
  EXPECT_EQ(file.read_integer("/", "step"), 2);
  EXPECT_EQ(file.read_integer("/", "normalised"), 1);
  EXPECT_EQ(file.read_text("/", "run", 100), "small");
  const auto keys = file.read_texts("/keys", kStudies, 100);
  EXPECT_EQ(keys.front(), "study0");
  EXPECT_EQ(keys.back(), "study9");
  EXPECT_EQ(file.read_texts("/label_names", 2, 100), fixtures::small_set().label_names);
  EXPECT_EQ(file.read<float>("/labels", {kStudies, 2})[6], 3.0F);
  EXPECT_EQ(file.read_texts("/set_profiles", 1, 1000).front(), fixtures::small_set().profile);
  EXPECT_FALSE(file.has("/text_embeddings"));

  // Study 3 has one scan; the same volume by itself.
  const auto set = fixtures::small_set();
  const auto voxels = fixtures::small_voxels(set, 3, 0);
  models::StudyBatch batch;
  Tensor scans = host_tensor(DType::u8, {1, 1, 6, 4, 5});
  std::memcpy(scans.raw(), voxels.data(), voxels.size());
  batch.scans = ctx_.upload(scans);
  batch.study_offsets = {0, 1};
  batch.ordinals = {0};
  models::normalise_intensity(batch, 255);
  autograd::Tape tape(ctx_, {.record = false, .training = false});
  const Tensor expected = ctx_.download(models_[2].objective->visual().forward(tape, batch).value());
  const auto rows = file.read<float>("/embeddings", {kStudies, kWidth});
  double norm = 0, dot = 0;
  for (std::size_t c = 0; c < kWidth; ++c) {
    norm += static_cast<double>(expected.data<float>()[c]) * static_cast<double>(expected.data<float>()[c]);
    dot += static_cast<double>(expected.data<float>()[c]) * static_cast<double>(rows[3 * kWidth + c]);
  }
  EXPECT_NEAR(dot, std::sqrt(norm), 1e-5 * std::sqrt(norm));
}

TEST_F(HandOver, EmbedsReportsAndRawFeatures) {
  ASSERT_EQ(run("embed " + quoted("run") + " --best --texts --features --data '" + path("set") + ":train' --to " +
                quoted("f.h5"))
                .code,
            0);
  const h5::File file = h5::File::open(path("f.h5"));
  const auto studies = static_cast<std::uint64_t>(file.read_integer("/", "studies"));
  EXPECT_LT(studies, kStudies);  // of the split, with a report
  EXPECT_EQ(file.read_integer("/", "step"), 1);
  EXPECT_EQ(file.read_integer("/", "normalised"), 0);
  EXPECT_EQ(file.read<float>("/text_embeddings", {studies, kWidth}).size(), studies * kWidth);
}

TEST_F(HandOver, TheSameBytesOnAnyNumberOfRanks) {
  if (std::system("mpirun --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no mpirun";
  const std::string arguments = "embed " + quoted("run") + " --backend cpu --threads 1 --texts --data " +
                                quoted("set") + " --to " + quoted("f.h5");
  std::string alone;
  for (const char* ranks : {"1", "2", "3"}) {
    const Outcome outcome = run(arguments, std::string("OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
                                                       "mpirun --oversubscribe -n ") +
                                               ranks);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const std::string bytes = fixtures::read_all(path("f.h5"));
    if (alone.empty()) alone = bytes;
    EXPECT_TRUE(bytes == alone) << "on " << ranks << " ranks";
  }
}

TEST_F(HandOver, EmbedsWithAnExport) {
  ASSERT_EQ(run("export " + quoted("run") + " --to " + quoted("m.safetensors")).code, 0);
  for (const char* model : {"m.safetensors", "run"})
    ASSERT_EQ(
        run("embed " + quoted(model) + " --data " + quoted("set") + " --to " + quoted(model + std::string(".h5"))).code,
        0);
  const h5::File ours = h5::File::open(path("m.safetensors.h5")), theirs = h5::File::open(path("run.h5"));
  EXPECT_EQ(ours.read<float>("/embeddings", {kStudies, kWidth}), theirs.read<float>("/embeddings", {kStudies, kWidth}));
  expect_refused("embed " + quoted("m.safetensors") + " --texts --data " + quoted("set") + " --to " + quoted("x.h5"), 2,
                 "holds weights alone");
}

TEST_F(HandOver, ArgumentsOfTheTwoForms) {
  const std::string run = "embed " + quoted("run"), to = " --to " + quoted("f.h5");
  expect_refused(run + to, 2, "there is neither a VOLUME nor --data SET");
  expect_refused(run + " x.npy --data " + quoted("set") + to, 2, "volume has no meaning with --data");
  expect_refused(run + " x.npy --best --to x.npy", 2, "--best belongs to --data");
  expect_refused(run + " --data " + quoted("set") + " --to x.npy", 2, "'x.npy' does not end in .h5");
  expect_refused(run + " --data " + quoted("set") + ":tests" + to, 3, "tests");
  expect_refused(run + " --data " + quoted("nothing") + to, 3, "nothing");
  EXPECT_FALSE(std::filesystem::exists(path("f.h5")));
}

}  // namespace
}  // namespace strata::cli
