// SPDX-License-Identifier: Apache-2.0
// strata inspect as a person starts it: what it says of a set, of a study, of damage.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/shard/shard.hpp"
#include "parallel/comm/local.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"

namespace strata::cli {
namespace {

class Inspect : public ::testing::Test {
 protected:
  Inspect() { fixtures::write_small_set(*comm::make_local(), folder(), fixtures::small_set(), 2, 5); }
  std::string folder() const { return scratch_.path().string(); }
  std::string shard() const { return scratch_.file(io::shard_file(1)); }

  fixtures::ScratchFolder scratch_;
};

TEST_F(Inspect, SaysWhatASetHolds) {
  const Outcome shown = strata("inspect " + folder());
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("10 studies, 19 scans, 2 shards"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("1 x [6, 4, 5] u8"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("'train' 7, 'val' 3"), std::string::npos) << shown.out;
  const auto json = nlohmann::json::parse(strata("inspect --verify --json " + folder()).out);
  EXPECT_EQ(json["studies"], 10);
  EXPECT_EQ(json["labels"][1]["known"], 5);
  EXPECT_EQ(json["profile"], fixtures::small_set().profile);
  EXPECT_TRUE(json["shards"][1]["damaged"].empty());
  EXPECT_EQ(nlohmann::json::parse(strata("inspect --json " + shard()).out)["studies"], 5);
}

TEST_F(Inspect, ShowsAStudy) {
  const auto json = nlohmann::json::parse(strata("inspect --json --study study8 " + folder()).out);
  EXPECT_EQ(json["patient"], "patient4");
  EXPECT_EQ(json["scans"].size(), 3U);
  EXPECT_EQ(json["scans"][2]["origin"], (std::vector<double>{82, -82, 0.5}));
  EXPECT_EQ(json["labels"]["hemorrhage"], 8.0);
  const Outcome text = strata("inspect --study study8 " + folder());
  EXPECT_NE(text.out.find("scan 2   'series8.2' 'CT' 'brain': 5 slices, 2 missing"), std::string::npos) << text.out;
  EXPECT_EQ(strata("inspect --study nobody " + folder()).code, 2);
}

TEST_F(Inspect, FindsDamage) {
  std::string bytes = fixtures::read_all(shard());
  const std::string mark = "\"voxels_at\":";
  const auto at = std::stoul(bytes.substr(bytes.find(mark) + mark.size(), 20));
  bytes[at + 130] = static_cast<char>(bytes[at + 130] ^ 1);
  fixtures::write_all(shard(), bytes);
  EXPECT_EQ(strata("inspect " + folder()).code, 0) << "voxels are read on demand alone";
  const Outcome found = strata("inspect --verify " + folder());
  EXPECT_EQ(found.code, 3);
  EXPECT_NE(found.out.find("1 damaged:\n    scan 1 of study 'study5'"), std::string::npos) << found.out;
  EXPECT_NE(found.err.find("damaged scans in"), std::string::npos) << found.err;
  std::filesystem::remove(scratch_.file("manifest.json"));
  const Outcome unfinished = strata("inspect " + folder());
  EXPECT_EQ(unfinished.code, 3);
  EXPECT_NE(unfinished.err.find("start the ingest again, it continues"), std::string::npos) << unfinished.err;
}

}  // namespace
}  // namespace strata::cli
