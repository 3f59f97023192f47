// SPDX-License-Identifier: Apache-2.0
// Phantoms through the reader of DICOM files: what was drawn is what is read, whatever the encoding.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "io/dicom/dicom.hpp"
#include "io/phantom/phantom.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::phantom {
namespace {

using io::dicom::Reason;

struct Read {
  std::vector<io::dicom::StackPlan> plans;
  std::map<Reason, std::int64_t> left_out;
  std::map<std::string, int> syntaxes;
};

Read read_study(const Options& options, std::int64_t index, const std::string& folder) {
  io::dicom::register_codecs();
  write_study(options, index, folder);
  std::vector<io::dicom::FileRecord> records;
  Read read;
  for (const auto& path : io::dicom::list_files(folder)) {
    records.push_back(io::dicom::read_header(path));
    ++read.syntaxes[records.back().transfer_syntax];
  }
  std::vector<io::dicom::LeftOut> left_out;
  read.plans = io::dicom::plan_stacks(std::move(records), {}, left_out);
  for (const auto& one : left_out) read.left_out[one.reason] += one.images;
  return read;
}

SeriesKind kind_of(const io::dicom::StackPlan& plan) {
  if (plan.tags.slice_thickness < 2) return SeriesKind::thin;
  return plan.tags.series_description.find("bone") != std::string::npos ? SeriesKind::bone : SeriesKind::thick;
}

// Written as decimal texts, so to 1e-5 mm and half a step of f32.
void expect_near(const study::Vec3& a, const study::Vec3& b, const char* what) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(a[i], b[i], 3e-5) << what;
}

void expect_same(const study::SliceStack& read, const study::SliceStack& drawn) {
  ASSERT_EQ(read.slices(), drawn.slices());
  EXPECT_EQ(read.voxels, drawn.voxels);
  EXPECT_EQ(read.padding, drawn.padding);
  expect_near(read.step_h, drawn.step_h, "step_h");
  expect_near(read.step_w, drawn.step_w, "step_w");
  for (std::size_t k = 0; k < read.origins.size(); ++k) expect_near(read.origins[k], drawn.origins[k], "origin");
}

TEST(PhantomDicom, WhatWasDrawnIsReadInEverySyntax) {
  const Options options{.seed = 8,
                        .matrix = 64,
                        .thin = 0.3,
                        .bone = 1,
                        .dose = 1,
                        .tilt = 0.5,
                        .gaps = 0.3,
                        .missing = 0.3,
                        .other_syntax = 0.85};
  std::map<std::string, int> syntaxes;
  for (std::int64_t i = 0; i < 8; ++i) {
    const fixtures::ScratchFolder folder;
    const Read read = read_study(options, i, folder.file("d"));
    ASSERT_GE(read.plans.size(), 2U) << i;
    for (const auto& plan : read.plans) {
      SCOPED_TRACE("study " + std::to_string(i) + ", " + plan.tags.series_description + ", " +
                   plan.files.front().transfer_syntax);
      EXPECT_EQ(plan.tags.study_uid, describe(options, i).study_uid);
      EXPECT_EQ(plan.tags.modality, "CT");
      EXPECT_FALSE(plan.tags.convolution_kernel.empty());
      expect_same(io::dicom::read_stack(plan).stack, draw_series(options, i, kind_of(plan)).stack);
    }
    EXPECT_EQ(read.left_out, (std::map<Reason, std::int64_t>{{Reason::localizer, 1}, {Reason::secondary_capture, 1}}))
        << i;
    for (const auto& [name, count] : read.syntaxes) syntaxes[name] += count;
  }
  EXPECT_GE(syntaxes.size(), 6U);
}

TEST(PhantomDicom, DuplicatesCountOnceAndTruncatedFilesAreNamed) {
  const Options options{
      .seed = 8, .matrix = 64, .thin = 0, .bone = 0, .scout = 0, .dose = 0, .duplicates = 0.5, .broken = 1};
  const fixtures::ScratchFolder folder;
  const Read read = read_study(options, 3, folder.file("d"));
  ASSERT_EQ(read.plans.size(), 1U);
  expect_same(io::dicom::read_stack(read.plans.front()).stack, draw_series(options, 3, SeriesKind::thick).stack);
  auto left_out = read.left_out;
  EXPECT_GT(left_out[Reason::duplicate], 5);
  EXPECT_EQ(left_out[Reason::truncated] + left_out[Reason::unreadable], 1);  // broken off in the pixels, or before
}

}  // namespace
}  // namespace strata::phantom
