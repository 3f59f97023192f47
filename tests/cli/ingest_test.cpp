// SPDX-License-Identifier: Apache-2.0
//
// strata phantom and strata ingest as a person starts them: killed at any moment, on a full disk, with nothing to find.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <sstream>
#include <thread>

#include "io/phantom/phantom.hpp"
#include "io/shard/shard.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/real_data.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProfile = R"(
name: tiny
modalities: [CT]
steps:
  - orient: {axes: SPL}
  - resize: {extents: [8, 64, 64]}
  - windows: [{name: brain, center: 40, width: 80}]
)";

class Ingest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<fixtures::ScratchFolder>();
    const Outcome made = strata("phantom --to " + file("source") + " --studies 40 --matrix 64 --seed 11");
    ASSERT_EQ(made.code, 0) << made.err;
    fixtures::write_all(file("profile.yaml"), kProfile);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(const std::string& name) { return folder_->file(name); }
  static std::string arguments(const std::string& set) {
    return "ingest " + file("profile.yaml") + " --from " + file("source") + " --to " + file(set) + " --private " +
           file(set + ".private") + " --reports " + file("source/labels.csv") + " --label-column '*' --shard-size 1" +
           " --split train=0.5 val=0.25 test=0.25";
  }
  // Sets under one key can be compared.
  static void same_key(const std::string& from, const std::string& to) {
    fs::create_directory(file(to + ".private"));
    fs::permissions(file(to + ".private"), fs::perms::owner_all);
    fs::copy(file(from + ".private/pseudonym.key"), file(to + ".private/pseudonym.key"));
  }
  static void expect_same_sets(const std::string& a, const std::string& b) {
    const auto shards = io::finished_shards(file(a));
    ASSERT_GT(shards.size(), 1u);
    EXPECT_EQ(shards, io::finished_shards(file(b)));
    for (const auto& shard : shards)
      EXPECT_TRUE(fixtures::read_all(file(a + "/" + shard.file)) == fixtures::read_all(file(b + "/" + shard.file)));
    EXPECT_EQ(fixtures::read_all(file(a + "/manifest.json")), fixtures::read_all(file(b + "/manifest.json")));
  }

  static inline std::unique_ptr<fixtures::ScratchFolder> folder_;
};

// Starts the program and kills it after that long; false: it was done before.
bool killed(const std::string& arguments, std::chrono::milliseconds after) {
  const std::string line = "exec '" STRATA_PROGRAM "' " + arguments + " >/dev/null 2>&1 </dev/null";
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  std::this_thread::sleep_for(after);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST_F(Ingest, GoesOnBehindWhatItFinishedHoweverOftenItIsKilled) {
  ASSERT_EQ(strata(arguments("whole")).code, 0);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(strata(arguments("timed")).code, 0);  // files are in memory now, as they will be
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  same_key("whole", "killed");
  std::mt19937 random(20);  // the moments; what happens at them is the machine's
  int kills = 0;
  for (int i = 0; i < 20; ++i) {
    const auto after = std::chrono::milliseconds(random() % static_cast<unsigned>(whole.count() * 3 / 4 + 1));
    if (i % 7 == 6) {  // anew, so that kills fall everywhere
      fs::remove_all(file("killed"));
      fs::remove_all(file("killed.private/parts"));
    }
    kills += killed(arguments("killed"), after) ? 1 : 0;
    // What looks finished is: the kill came too late.
    if (fs::exists(file("killed/manifest.json"))) expect_same_sets("whole", "killed");
  }
  EXPECT_GE(kills, 3) << "of 20";
  const Outcome last = strata(arguments("killed"));
  ASSERT_EQ(last.code, 0) << last.err;
  expect_same_sets("whole", "killed");
  EXPECT_FALSE(fs::exists(file("killed.private/parts")));
  for (const auto& entry : fs::directory_iterator(file("killed")))
    EXPECT_TRUE(entry.path().extension() == ".h5" || entry.path().filename() == "manifest.json" ||
                entry.path().filename() == "plan")
        << entry.path();
}

TEST_F(Ingest, PutsNothingOfTheHeadersIntoShardsReportsOrOutput) {
  const Outcome outcome = strata(arguments("quiet"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::string everything = outcome.out + outcome.err;
  for (const auto& folder : {file("quiet"), file("quiet.private")})
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file()) everything += fixtures::read_all(entry.path().string());
  const phantom::Options options{.seed = 11, .studies = 40, .matrix = 64};
  int planted = 0;
  for (std::int64_t i = 0; i < options.studies; ++i)
    for (const auto& text : phantom::planted_texts(options, i)) {
      ++planted;
      EXPECT_EQ(everything.find(text), std::string::npos) << text;
    }
  EXPECT_GT(planted, 100);
}

TEST_F(Ingest, OnAFullDiskSaysSoAndLeavesNothingHalf) {
  struct rlimit before {};
  getrlimit(RLIMIT_FSIZE, &before);
  // No file may grow beyond this: what a full disk does to the first shard.
  const struct rlimit small { 100'000, before.rlim_max };
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const Outcome outcome = strata(arguments("full"));
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_NE(outcome.err.find("shard-000000"), std::string::npos) << outcome.err;
  for (const auto& entry : fs::directory_iterator(file("full")))
    EXPECT_EQ(entry.path().filename(), "plan") << "half a file";
  const Outcome again = strata(arguments("full"));
  EXPECT_EQ(again.code, 0) << again.err;
}

TEST_F(Ingest, SaysWhatIsWrongBeforeItBegins) {
  const std::string to = " --to " + file("never");
  const auto says = [](const Outcome& outcome, int code, const std::string& text) {
    EXPECT_EQ(outcome.code, code);
    EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
  };
  says(strata("ingest head_cd --from " + file("source") + to), 2, "did you mean 'head_ct'?");
  says(strata("ingest head_ct --from /not/there" + to), 3, "'/not/there' cannot be opened");
  says(strata("ingest head_ct --from " + file("source") + to + " --split train=0.5"), 2, "add up to 0.5");
  says(strata("ingest brain_mri --from " + file("source") + to), 3, "unwanted_modality");
  EXPECT_EQ(strata(arguments("never")).code, 0) << "a start that found nothing leaves the folder free for another";
  fs::create_directory(file("empty"));
  says(strata("ingest head_ct --from " + file("empty") + to), 3, "there are no files");
}

// What the report says, line by line, of one kind and reason.
int count_lines(const std::string& report, const std::string& kind, const std::string& reason = {}) {
  std::istringstream lines(report);
  int count = 0;
  for (std::string line; std::getline(lines, line);)
    count += line.find("\"kind\":\"" + kind + "\"") != std::string::npos &&
             (reason.empty() || line.find("\"reason\":\"" + reason + "\"") != std::string::npos);
  return count;
}

TEST_F(Ingest, OfRealHeadCtsKeepsTheTwoVolumesAndSaysWhyNotTheRest) {
  const auto ge = fixtures::real_data("ct_ge_head"), philips = fixtures::real_data("ct_philips_plainhead");
  if (!ge || !philips) GTEST_SKIP() << fixtures::kNoRealData;
  const Outcome outcome = strata("ingest head_ct --from " + *ge + " " + *philips + " --to " + file("ct"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string report = fixtures::read_all(file("ct.private/report.jsonl"));
  EXPECT_EQ(count_lines(report, "scan"), 2) << report;
  EXPECT_EQ(count_lines(report, "image", "localizer"), 1);
  EXPECT_EQ(count_lines(report, "image", "secondary_capture"), 6);
  EXPECT_EQ(count_lines(report, "image"), 7);
  EXPECT_GE(count_lines(report, "file", "dicomdir"), 1);
  EXPECT_NE(report.find("\"slices\":28,\"missing\":0,\"stored\":3,\"straightened\":true,\"regridded\":true"),
            std::string::npos)
      << "the tilted, uneven one";
  EXPECT_NE(outcome.out.find("2   of 56 slices"), std::string::npos) << outcome.out;
}

TEST_F(Ingest, OfARealBrainMriUnfoldsItsMosaics) {
  const auto uih = fixtures::real_data("mr_uih_brain");
  if (!uih) GTEST_SKIP() << fixtures::kNoRealData;
  const Outcome outcome = strata("ingest brain_mri --from " + *uih + " --to " + file("mr"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string report = fixtures::read_all(file("mr.private/report.jsonl"));
  EXPECT_EQ(count_lines(report, "scan"), 18) << "the T1 and 17 volumes of diffusion";
  EXPECT_NE(report.find("\"slices\":80"), std::string::npos);
}

TEST_F(Ingest, OfNiftiTakesAFolderAsAStudyAndPassesOverWhatIsExcluded) {
  const auto cranium = fixtures::real_data("nifti_cranium_ct");
  if (!cranium) GTEST_SKIP() << fixtures::kNoRealData;
  const Outcome outcome = strata("ingest head_ct --from " + *cranium + " --exclude '*label*' --to " + file("nifti"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string report = fixtures::read_all(file("nifti.private/report.jsonl"));
  EXPECT_EQ(count_lines(report, "scan"), 1) << report;
  EXPECT_GE(count_lines(report, "file", "excluded"), 1) << report;
  EXPECT_NE(report.find("\"slices\":108"), std::string::npos) << report;
}

}  // namespace
}  // namespace strata::cli
