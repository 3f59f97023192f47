// SPDX-License-Identifier: Apache-2.0
// strata inspect of a run's checkpoints as a person starts it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/checkpoint/checkpoint.hpp"
#include "parallel/comm/local.hpp"
#include "strata/engine/checkpointing.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/numbered_state.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

class InspectCheckpoint : public ::testing::Test {
 protected:
  InspectCheckpoint() {
    for (const std::int64_t step : {std::int64_t{50}, std::int64_t{123}}) save(step);
  }
  void save(std::int64_t step) {
    const fixtures::ReferenceDevice device;
    Context ctx = device.ctx;
    StateDict state;
    state.add("visual.norm.weight", fixtures::zeroed(DType::f32, {3, 512}));
    state.add("visual.norm.weight.step", fixtures::zeroed(DType::i64, {}));
    fixtures::fill(state);
    engine::TrainingFacts facts;
    facts.step = step;
    facts.score = 0.75;
    io::open_checkpoints(folder(), *local_)
        ->save(ctx, step, state, {{"config.yaml", "name: small\n"}, {"facts.json", engine::facts_to_json(facts)}});
  }
  std::string run() const { return scratch_.path().string(); }
  std::string folder() const { return scratch_.file("checkpoints"); }
  std::string file(std::int64_t step) const { return folder() + "/" + io::checkpoint_file(step); }

  fixtures::ScratchFolder scratch_;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
};

TEST_F(InspectCheckpoint, SaysWhatTheNewestHolds) {
  for (const auto& path : {run(), folder(), file(123)}) {
    const Outcome shown = strata("inspect " + path);
    ASSERT_EQ(shown.code, 0) << shown.err;
    for (const std::string part : {"step 123, 2 tensors, 1537 elements", "score            0.75", "config.yaml",
                                   "visual.norm.weight      f32  [3, 512]"})
      EXPECT_NE(shown.out.find(part), std::string::npos) << shown.out;
  }
  const auto json = nlohmann::json::parse(strata("inspect --verify --json " + file(50)).out);
  EXPECT_EQ(json["step"], 50);
  EXPECT_EQ(json["facts"]["score"], 0.75);
  EXPECT_EQ(json["tensors"][0]["shape"], (std::vector<int>{3, 512}));
  EXPECT_TRUE(json["damaged"].empty());
  EXPECT_EQ(strata("inspect --text config.yaml " + run()).out, "name: small\n");
  const Outcome none = strata("inspect --text vocab.txt " + run());
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("'config.yaml', 'facts.json'"), std::string::npos) << none.err;
}

TEST_F(InspectCheckpoint, FindsDamage) {
  std::string bytes = fixtures::read_all(file(123));
  const std::string mark = "\"data_at\":";
  bytes[std::stoul(bytes.substr(bytes.find(mark) + mark.size(), 20)) + 100] ^= 1;
  fixtures::write_all(file(123), bytes);
  const Outcome found = strata("inspect --verify " + run());
  EXPECT_EQ(found.code, 8);
  EXPECT_NE(found.out.find("damaged\n  visual.norm.weight\n"), std::string::npos) << found.out;
  EXPECT_NE(found.err.find("damaged tensors in"), std::string::npos) << found.err;
  fixtures::write_all(file(123), bytes.substr(0, 5000));
  EXPECT_EQ(strata("inspect " + run()).code, 8);
}

TEST_F(InspectCheckpoint, NamesAPathThatIsNotThere) {
  const Outcome absent = strata("inspect " + run() + "/absent");
  EXPECT_EQ(absent.code, 3);
  EXPECT_NE(absent.err.find("there is no '" + run() + "/absent'"), std::string::npos) << absent.err;
}

}  // namespace
}  // namespace strata::cli
