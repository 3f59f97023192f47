// SPDX-License-Identifier: Apache-2.0
//
// strata phantom and strata view as a person starts them: the set, its pictures, and what is said when it cannot be.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "io/image/image.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

class View : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<fixtures::ScratchFolder>();
    const Outcome made = strata("phantom --to " + file("source") +
                                " --studies 3 --matrix 64 --seed 2 --normal 0 --bone 1 --thin 0 --masks");
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_TRUE(made.out.starts_with("3 studies, ")) << made.out;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(const std::string& name) { return folder_->file(name); }

  static std::unique_ptr<fixtures::ScratchFolder> folder_;
};

std::unique_ptr<fixtures::ScratchFolder> View::folder_;

TEST_F(View, PhantomsComeWithLabelsAndMasks) {
  const std::string table = fixtures::read_all(file("source/labels.csv"));
  EXPECT_TRUE(table.starts_with("accession_number,study_uid,patient_id,report,ICH,")) << table.substr(0, 80);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 4);
  EXPECT_TRUE(fs::exists(file("source/masks/000002.nii")));
  expect_failure("phantom --to " + file("source"), 2,
                 "error (usage): [phantom] '" + file("source") +
                     "' holds phantoms already\n"
                     "  try:   give another --to, or remove that folder\n");
}

TEST_F(View, AStudyOfDicomFilesIsARowASeries) {
  const Outcome seen = strata("view " + file("source/dicom") + " --study 1 --to " + file("a.png") +
                              " --slices 6 --columns 3 --tile 100");
  ASSERT_EQ(seen.code, 0) << seen.err;
  EXPECT_NE(seen.out.find("left out: localizer (1 images)"), std::string::npos) << seen.out;
  EXPECT_NE(seen.out.find("DICOM study 1 of 0..2: 2 rows"), std::string::npos) << seen.out;
  const io::Image image = io::read_png(file("a.png"));
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.width, 320);
  EXPECT_GT(image.height, 4 * 95);
}

TEST_F(View, AnOverlayAddsColour) {
  const auto coloured = [](const std::string& path) {
    const io::Image image = io::read_png(path);
    int count = 0;
    for (int y = 40; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        count += image.pixel(x, y)[0] > image.pixel(x, y)[2] + 10 || image.pixel(x, y)[1] + 10 < image.pixel(x, y)[2]
                     ? 1
                     : 0;
    return count;
  };
  const std::string common = "view " + file("source/dicom") + " --study 1 --slices 30 --to ";
  ASSERT_EQ(strata(common + file("plain.png")).code, 0);
  ASSERT_EQ(strata(common + file("lesions.png") + " --overlay " + file("source/masks/000001.nii")).code, 0);
  EXPECT_GT(coloured(file("lesions.png")), coloured(file("plain.png")) + 100);
}

TEST_F(View, AShardSetIsShownAsStoredOrWindowedAgain) {
  fixtures::write_all(
      file("profile.yaml"),
      "name: tiny\nmodalities: [CT]\nsteps:\n  - orient: {axes: SPL}\n  - resize: {extents: [8, 64, 64]}\n"
      "  - windows: [{name: brain, center: 40, width: 80}]\n");
  const Outcome made = strata("ingest " + file("profile.yaml") + " --from " + file("source/dicom") + " --to " +
                              file("set") + " --reports " + file("source/labels.csv") + " --label-column '*'");
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome stored = strata("view " + file("set") + " --study 2 --to " + file("b.png"));
  ASSERT_EQ(stored.code, 0) << stored.err;
  EXPECT_NE(stored.out.find("study 2 of 0..2"), std::string::npos) << stored.out;
  const Outcome windows =
      strata("view " + file("set") + " --to " + file("c.png") + " --window 'stroke|40,300' --window bone");
  ASSERT_EQ(windows.code, 0) << windows.err;
  EXPECT_NE(windows.out.find("6 rows"), std::string::npos) << windows.out;
}

TEST_F(View, WhatCannotBeShownIsSaid) {
  const std::string view = "view " + file("source/dicom") + " --to ";
  expect_failure(view + file("a.jpg"), 2,
                 "error (usage): [view] cannot write '" + file("a.jpg") + "'\n  try:   end it in .png\n");
  expect_failure(view + file("a.png") + " --window 40", 2,
                 "error (usage): [view] '40' is no window\n"
                 "  try:   give CENTRE,WIDTH as in 40,80 or one of: brain, subdural, stroke, bone, soft, lung\n");
  expect_failure(view + file("a.png") + " --study 7", 3,
                 "error (data): [view] there is no study '7' among 3\n"
                 "  try:   give a number from 0 on, a study UID or an accession number\n");
  expect_failure("view " + file("nowhere") + " --to " + file("a.png"), 3,
                 "error (data): [view] there is no '" + file("nowhere") + "'\n");
  fs::create_directory(file("empty"));
  expect_failure("view " + file("empty") + " --to " + file("a.png"), 3,
                 "error (data): [view] '" + file("empty") +
                     "' holds no DICOM study\n"
                     "  try:   give a folder of DICOM files, a shard set or a NIfTI file\n");
}

}  // namespace
}  // namespace strata::cli
