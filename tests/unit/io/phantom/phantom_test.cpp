// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/phantom.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::phantom {
namespace {

using fixtures::message_of;
using fixtures::ScratchFolder;

std::map<std::string, std::string> files_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files[entry.path().lexically_relative(folder).string()] = fixtures::read_all(entry.path().string());
  }
  return files;
}

int label(const Row& row, const std::string& name) {
  const auto at = std::ranges::find(label_names(), name);
  return row.labels.at(static_cast<std::size_t>(at - label_names().begin()));
}

std::uint8_t number_of(const std::string& kind) {
  return static_cast<std::uint8_t>(1 + (std::ranges::find(lesion_kinds(), kind) - lesion_kinds().begin()));
}

struct Region {
  std::int64_t voxels = 0, left = 0;
  double mean = 0;
};

// Where voxel i is from right to left, mm.
double leftward(const study::SliceStack& stack, std::size_t i) {
  const auto width = static_cast<std::size_t>(stack.width), area = static_cast<std::size_t>(stack.height) * width;
  const auto r = static_cast<double>(i % area / width), c = static_cast<double>(i % width);
  return -(stack.origins[i / area][0] + r * stack.step_h[0] + c * stack.step_w[0]);
}

// The middle of the skull; a head that lies aslant is left of it in one slice and right of it in another.
double middle_of(const study::SliceStack& stack) {
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < stack.voxels.size(); ++i)
    if (stack.voxels[i] > 400) {
      sum += leftward(stack, i);
      ++count;
    }
  return sum / count;
}

Region region_of(const Drawn& drawn, std::uint8_t lesion) {
  Region region;
  const double middle = middle_of(drawn.stack);
  for (std::size_t i = 0; i < drawn.lesions.size(); ++i) {
    if (drawn.lesions[i] != lesion) continue;
    ++region.voxels;
    region.mean += static_cast<double>(drawn.stack.voxels[i]);
    if (leftward(drawn.stack, i) > middle) ++region.left;
  }
  if (region.voxels > 0) region.mean /= static_cast<double>(region.voxels);
  return region;
}

TEST(Phantom, AStudyDoesNotDependOnHowManyThereAreNorOnTheOrder) {
  const ScratchFolder a, b;
  Options few{.seed = 3, .studies = 2, .matrix = 64, .thin = 0, .bone = 1, .dose = 1, .duplicates = 0.2, .broken = 1};
  Options many = few;
  many.studies = 1000;
  write_study(few, 0, a.file("d"));
  write_study(few, 1, a.file("d"));
  write_study(many, 1, b.file("d"));
  write_study(many, 0, b.file("d"));
  const auto first = files_below(a.file("d"));
  EXPECT_GT(first.size(), 100U);
  EXPECT_EQ(first, files_below(b.file("d")));
}

TEST(Phantom, OtherSeedsGiveOtherStudiesAndOtherPatients) {
  const Row a = describe({.seed = 1}, 5), b = describe({.seed = 2}, 5), c = describe({.seed = 1}, 6);
  EXPECT_NE(a.study_uid, b.study_uid);
  EXPECT_NE(a.study_uid, c.study_uid);
  EXPECT_NE(a.patient_id, b.patient_id);
  EXPECT_NE(a.accession_number, b.accession_number);
}

TEST(Phantom, NumbersAreUniqueAndPatientsHaveOneToThreeStudies) {
  std::set<std::string> uids, accessions;
  std::map<std::string, int> patients;
  const int studies = 4000;
  for (int i = 0; i < studies; ++i) {
    const Row row = describe({.seed = 9}, i);
    EXPECT_LE(row.study_uid.size(), 64U);
    uids.insert(row.study_uid);
    accessions.insert(row.accession_number);
    ++patients[row.patient_id];
  }
  EXPECT_EQ(uids.size(), static_cast<std::size_t>(studies));
  EXPECT_EQ(accessions.size(), static_cast<std::size_t>(studies));
  std::map<int, int> sizes;
  for (const auto& [id, count] : patients) ++sizes[count];
  EXPECT_EQ(sizes.size(), 3U);
  EXPECT_EQ(sizes.rbegin()->first, 3);
}

TEST(Phantom, AShareOfPatientsIsHeldOut) {
  EXPECT_EQ(describe({.seed = 9}, 0).split, "");
  std::map<std::string, std::set<std::string>> splits;
  int held_out = 0;
  for (int i = 0; i < 1500; ++i) {
    const Row row = describe({.seed = 9, .test = 0.2}, i);
    splits[row.patient_id].insert(row.split);
    if (row.split == "test") ++held_out;
  }
  EXPECT_EQ(held_out, 300);
  for (const auto& [patient, of] : splits) EXPECT_EQ(of.size(), 1U) << patient;
}

TEST(Phantom, EveryLabelIsFrequentEnoughToBeLearnt) {
  const int studies = 2000;
  std::vector<int> counts(label_names().size());
  int normal = 0;
  for (int i = 0; i < studies; ++i) {
    const Row row = describe({.seed = 4}, i);
    for (std::size_t k = 0; k < counts.size(); ++k) counts[k] += row.labels[k];
    if (std::ranges::count(row.labels, 1) == 0) ++normal;
  }
  for (std::size_t k = 0; k < counts.size(); ++k) {
    EXPECT_GT(counts[k], studies * 4 / 100) << label_names()[k];
    EXPECT_LT(counts[k], studies * 6 / 10) << label_names()[k];
  }
  EXPECT_NEAR(normal, 0.37 * studies, 0.06 * studies);
}

// What a study's voxels show is what its labels and its report say.
TEST(Phantom, LesionsLieWhereLabelsSay) {
  const std::map<std::string, std::string> label_of{{"parenchymal", "IPH"},  {"intraventricular", "IVH"},
                                                    {"subdural", "SDH"},     {"epidural", "EDH"},
                                                    {"subarachnoid", "SAH"}, {"fracture", "Fracture"}};
  std::map<std::string, int> seen;
  for (int i = 0; i < 60; ++i) {
    const Options options{.seed = 11, .normal = 0.1};
    const Row row = describe(options, i);
    const Drawn drawn = draw_series(options, i, SeriesKind::thick);
    bool left = false, right = false;
    for (const auto& [kind, name] : label_of) {
      const Region region = region_of(drawn, number_of(kind));
      EXPECT_EQ(region.voxels > 0, label(row, name) == 1) << kind << " in study " << i;
      if (region.voxels == 0) continue;
      ++seen[kind];
      EXPECT_GT(region.voxels, 15) << kind << " in study " << i;
      if (kind == "fracture") continue;
      left |= region.left * 4 > region.voxels;
      right |= (region.voxels - region.left) * 4 > region.voxels;
      const bool chronic = kind == "subdural" && label(row, "ChronicBleed") == 1;
      EXPECT_GT(region.mean, chronic ? 8 : 45) << kind << " in study " << i;
      EXPECT_LT(region.mean, chronic ? 36 : 130) << kind << " in study " << i;
    }
    EXPECT_EQ(left, label(row, "BleedLocation-Left") == 1) << i;
    EXPECT_EQ(right, label(row, "BleedLocation-Right") == 1) << i;
    EXPECT_EQ(left || right, label(row, "ICH") == 1) << i;
  }
  for (const auto& [kind, name] : label_of) EXPECT_GE(seen[kind], 2) << kind;
}

TEST(Phantom, ReportsSayWhatLabelsSay) {
  const std::map<std::string, std::vector<std::string>> words{
      {"IVH", {"intraventricular hemorrhage", "intraventricular blood"}},
      {"SDH", {"subdural"}},
      {"EDH", {"epidural"}},
      {"MidlineShift", {"shift"}},
      {"MassEffect", {"mass effect"}},
      {"ChronicBleed", {"chronic"}}};
  for (int i = 0; i < 400; ++i) {
    const Row row = describe({.seed = 21}, i);
    for (const auto& [name, phrases] : words) {
      bool said = false;
      for (std::string sentence : row.report) {
        std::ranges::transform(sentence, sentence.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (sentence.starts_with("no ") || sentence.ends_with("are not displaced.")) continue;
        for (const auto& phrase : phrases) said |= sentence.find(phrase) != std::string::npos;
      }
      EXPECT_EQ(said, label(row, name) == 1) << name << " in study " << i;
    }
  }
}

TEST(Phantom, TissuesHaveTheirHounsfieldUnits) {
  const Options options{.seed = 2, .normal = 1, .tilt = 0};
  const Drawn drawn = draw_series(options, 0, SeriesKind::thick);
  std::map<int, std::int64_t> histogram;  // by 10 HU
  for (const float v : drawn.stack.voxels) ++histogram[static_cast<int>(std::floor(v / 10))];
  std::int64_t brain = 0, air = 0, bone = 0;
  for (const auto& [bin, count] : histogram) {
    if (bin >= 2 && bin < 5) brain += count;
    if (bin < -90) air += count;
    if (bin >= 50) bone += count;
  }
  const auto& s = drawn.stack;
  const double voxel = 1e-3 * std::abs(s.step_w[0] * s.step_h[1]) * (s.origins[1][2] - s.origins[0][2]);  // mL
  EXPECT_GT(static_cast<double>(brain) * voxel, 800);
  EXPECT_LT(static_cast<double>(brain) * voxel, 1700);
  EXPECT_GT(static_cast<double>(bone) * voxel, 300);
  EXPECT_LT(static_cast<double>(bone) * voxel, 1000);
  EXPECT_GT(air, static_cast<std::int64_t>(drawn.stack.voxels.size() / 3));
}

TEST(Phantom, ATiltedGantryShearsTheStack) {
  const Options options{.seed = 5, .matrix = 64, .tilt = 1};
  const auto stack = draw_series(options, 0, SeriesKind::thick).stack;
  const auto& h = stack.step_h;
  EXPECT_GT(std::abs(h[2]), 0.1 * std::abs(h[1]));
  EXPECT_EQ(stack.origins[1][1], stack.origins[0][1]);  // the table moves along z alone
  EXPECT_GT(stack.origins[1][2], stack.origins[0][2]);
}

TEST(Phantom, OptionsOutOfRangeAreUsageErrors) {
  const std::vector<std::pair<Options, std::string>> cases{{{.studies = 0}, "0 studies"},
                                                           {{.matrix = 32}, "matrix of 32"},
                                                           {{.tilt = 1.5}, "tilted"},
                                                           {{.test = -0.1}, "held-out"},
                                                           {{.bone = std::nan("")}, "bone"}};
  for (const auto& [options, words] : cases) {
    const std::string message = message_of([&options = options] { check(options); }, ErrorKind::usage);
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace strata::phantom
