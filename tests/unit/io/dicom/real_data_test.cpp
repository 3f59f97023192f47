// SPDX-License-Identifier: Apache-2.0
//
// Real files and their right answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/fixtures/real_data.hpp"
#include "tests/unit/io/dicom/loaded.hpp"

namespace strata::io::dicom {
namespace {

#define STRATA_REAL_DATA(folder, name)           \
  const auto folder = fixtures::real_data(name); \
  if (!folder) GTEST_SKIP() << fixtures::kNoRealData

std::pair<float, float> range_of(const StackRead& volume) {
  const auto [least, largest] = std::ranges::minmax_element(volume.stack.voxels);
  return {*least, *largest};
}

TEST(RealDicom, TiltedHeadCtIsOneUnevenShearedStack) {
  STRATA_REAL_DATA(folder, "ct_ge_head");
  const Loaded loaded = load_folder(*folder);
  ASSERT_EQ(loaded.volumes.size(), 1U);
  const study::SliceStack& stack = loaded.volumes[0].stack;
  EXPECT_EQ(stack.slices(), 28);
  EXPECT_EQ(stack.height, 512);
  EXPECT_EQ(stack.width, 512);
  EXPECT_NEAR(tilt_of(stack), 18.5, 0.05);
  std::map<long, int> gaps;  // in µm
  for (const double gap : gaps_of(stack)) ++gaps[std::lround(gap * 100) * 10];
  EXPECT_EQ(gaps.begin()->first, 1080);
  EXPECT_EQ(gaps.begin()->second, 1);
  EXPECT_GE(gaps[4000], 12);
  EXPECT_EQ(gaps[7000], 13);
  EXPECT_EQ(range_of(loaded.volumes[0]), std::pair(-1500.F, 2121.F));
  EXPECT_EQ(stack.padding, -1500.F);
  EXPECT_EQ(loaded.count(Reason::not_dicom), 2);  // LICENSE, SOURCE.txt
  EXPECT_EQ(loaded.left_out.size(), 2U);
}

TEST(RealDicom, PhantomCtKeepsItsBrainAlone) {
  STRATA_REAL_DATA(folder, "ct_philips_plainhead");
  const Loaded loaded = load_folder(*folder);
  ASSERT_EQ(loaded.volumes.size(), 1U);
  const study::SliceStack& stack = loaded.volumes[0].stack;
  EXPECT_EQ(stack.slices(), 28);
  EXPECT_EQ(stack.height, 512);
  EXPECT_EQ(stack.width, 512);
  for (const double gap : gaps_of(stack)) EXPECT_NEAR(gap, 5.0, 1e-3);
  EXPECT_EQ(range_of(loaded.volumes[0]), std::pair(-1024.F, 782.F));
  EXPECT_FALSE(stack.padding);
  EXPECT_EQ(loaded.volumes[0].tags.series_number, 201);
  EXPECT_EQ(loaded.volumes[0].tags.instance_uids.size(), 28U);
  EXPECT_EQ(loaded.count(Reason::localizer), 1);
  EXPECT_EQ(loaded.count(Reason::secondary_capture), 6);
  EXPECT_EQ(loaded.count(Reason::dicomdir) + loaded.count(Reason::not_dicom), 7);  // DICOMDIR, DIRFILEs, two texts
  EXPECT_EQ(loaded.left_out.size(), 14U);
}

TEST(RealDicom, SagittalBrainRunsAlongItsNormalAgainstInstanceNumbers) {
  STRATA_REAL_DATA(folder, "mr_uih_brain/t1_gre_fsp_3d_sag");
  const Loaded loaded = load_folder(*folder);
  ASSERT_EQ(loaded.volumes.size(), 1U);
  const study::SliceStack& stack = loaded.volumes[0].stack;
  EXPECT_EQ(stack.slices(), 80);
  for (const double gap : gaps_of(stack)) EXPECT_NEAR(gap, 1.0, 1e-3);
  EXPECT_GT(std::abs(normal_of(stack)[0]), 0.9);         // sagittal,
  EXPECT_LT(std::abs(normal_of(stack)[0]), 1.0 - 1e-4);  // slightly oblique
  std::vector<std::int32_t> numbers;
  for (const StackSlice& slice : loaded.plans[0].slices)
    numbers.push_back(loaded.plans[0].files[static_cast<std::size_t>(slice.file)].instance_number);
  EXPECT_TRUE(std::ranges::is_sorted(numbers, std::greater()));
}

TEST(RealDicom, MosaicsOfUihUnfoldToTwentySlicesEach) {
  STRATA_REAL_DATA(folder, "mr_uih_brain/dti_tra_dir16");
  const Loaded loaded = load_folder(*folder);
  ASSERT_EQ(loaded.volumes.size(), 17U);
  for (const StackRead& volume : loaded.volumes) {
    EXPECT_EQ(volume.stack.slices(), 20);
    EXPECT_EQ(volume.stack.height, 64);
    EXPECT_EQ(volume.stack.width, 64);
    for (const double gap : gaps_of(volume.stack)) EXPECT_NEAR(gap, 4.2, 1e-2);
    EXPECT_EQ(volume.tags.instance_uids.size(), 1U);
  }
  EXPECT_NEAR(loaded.volumes[0].tags.b_value, 1.25, 0.01);
  EXPECT_NEAR(loaded.volumes[1].tags.b_value, 929.75, 0.01);
}

TEST(RealDicom, NineEncodingsHoldTheSamePixels) {
  STRATA_REAL_DATA(folder, "ts_siemens_9syntaxes");
  const Loaded loaded = load_folder(*folder);
  ASSERT_EQ(loaded.volumes.size(), 9U);
  std::set<int> numbers;
  std::set<std::string> series;
  for (const StackRead& volume : loaded.volumes) {
    EXPECT_EQ(volume.stack.slices(), 35);
    EXPECT_EQ(volume.stack.voxels, loaded.volumes[0].stack.voxels) << volume.tags.series_number;
    EXPECT_EQ(volume.stack.origins, loaded.volumes[0].stack.origins);
    numbers.insert(volume.tags.series_number);
    series.insert(volume.tags.series_uid);
  }
  EXPECT_EQ(numbers.size(), 9U);
  EXPECT_EQ(series.size(), 1U);
  EXPECT_EQ(range_of(loaded.volumes[0]), std::pair(0.F, 2362.F));
}

TEST(RealDicom, ImagesAtOnePositionAreNoVolume) {
  STRATA_REAL_DATA(folder, "geom_d2n_shared/failing/notavolume");
  const Loaded loaded = load_folder(*folder, {.min_slices = 1});
  EXPECT_TRUE(loaded.volumes.empty());
  EXPECT_EQ(loaded.count(Reason::not_a_volume), 4);
}

TEST(RealDicom, CopiesInFourEncodingsCountOnce) {
  STRATA_REAL_DATA(folder, "geom_d2n_shared/generic");
  const Loaded loaded = load_folder(*folder, {.min_slices = 4});
  ASSERT_EQ(loaded.volumes.size(), 1U);
  EXPECT_EQ(loaded.volumes[0].stack.slices(), 4);
  EXPECT_EQ(loaded.count(Reason::duplicate), 16);
}

TEST(RealDicom, TiltOfFourteenDegreesIsInThePositions) {
  STRATA_REAL_DATA(folder, "geom_d2n_shared/failing/gantrytilting");
  const Loaded loaded = load_folder(*folder, {.min_slices = 4});
  ASSERT_EQ(loaded.volumes.size(), 1U);
  EXPECT_NEAR(tilt_of(loaded.volumes[0].stack), 14, 0.1);
}

TEST(RealDicom, SeriesOfFourVendorsBecomeOneVolumeAPass) {
  STRATA_REAL_DATA(folder, "geom_d2n_shared");
  const Loaded loaded = load_folder(*folder, {.min_slices = 4});
  EXPECT_EQ(loaded.studies, 9U);
  EXPECT_EQ(loaded.volumes.size(), 11U);                                  // two diffusion series hold two volumes each
  EXPECT_EQ(load_folder(*folder, {.min_slices = 5}).volumes.size(), 1U);  // Enhanced MR, eight frames
}

TEST(RealDicom, BrokenAndForeignFilesAreEachNamedWithTheirReason) {
  STRATA_REAL_DATA(folder, "robust_pydicom");
  const std::vector<std::string> paths = list_files(*folder);
  const std::vector<FileRecord> records = headers(paths);
  std::map<std::string, Reason> reasons;
  for (const FileRecord& record : records) {
    EXPECT_EQ(record.is_image(), record.detail.empty()) << record.path;
    reasons[record.path.substr(folder->size() + 1)] = record.reason;
  }
  EXPECT_EQ(reasons.size(), paths.size());
  const std::map<std::string, Reason> expected{
      {"test_files/MR_small.dcm", Reason::none},
      {"test_files/MR_small_RLE.dcm", Reason::none},
      {"test_files/MR_small_bigendian.dcm", Reason::none},
      {"test_files/MR_small_expb.dcm", Reason::none},
      {"test_files/MR_small_implicit.dcm", Reason::none},
      {"test_files/MR_small_jp2klossless.dcm", Reason::none},
      {"test_files/MR_small_jpeg_ls_lossless.dcm", Reason::none},
      {"test_files/MR_small_padded.dcm", Reason::none},
      {"test_files/CT_small.dcm", Reason::none},
      {"test_files/MR_truncated.dcm", Reason::truncated},
      {"test_files/rtplan_truncated.dcm", Reason::truncated},
      {"test_files/no_meta.dcm", Reason::not_dicom},
      {"test_files/test1.json", Reason::not_dicom},
      {"test_files/zipMR.gz", Reason::not_dicom},
      {"test_files/crayons.icc", Reason::not_dicom},
      {"test_files/README.txt", Reason::not_dicom},
      {"test_files/dicomdirtests/DICOMDIR", Reason::dicomdir},
      {"test_files/dicomdirtests/DICOMDIR-bigEnd", Reason::dicomdir},
      {"test_files/dicomdirtests/DICOMDIR-implicit", Reason::dicomdir},
      {"test_files/rtplan.dcm", Reason::other_object},
      {"test_files/ExplVR_LitEndNoMeta.dcm", Reason::other_object},
      {"test_files/dicomdirtests/98892001/CT2N/6293", Reason::localizer},
      {"test_files/examples_palette.dcm", Reason::other_modality},
  };
  for (const auto& [path, reason] : expected) {
    ASSERT_TRUE(reasons.contains(path)) << path;
    EXPECT_EQ(name_of(reasons[path]), name_of(reason)) << path;
  }
  EXPECT_GE(std::ranges::count(records, Reason::none, &FileRecord::reason), 33);
}

TEST(RealDicom, EncodingsOfOneImageAreDuplicates) {
  STRATA_REAL_DATA(folder, "robust_pydicom");
  std::vector<std::string> paths;
  for (const char* name : {"MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_expb", "MR_small_implicit",
                           "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "MR_small_padded"})
    paths.push_back(*folder + "/test_files/" + name + ".dcm");
  const Loaded loaded = load(headers(paths), {.min_slices = 1});
  EXPECT_EQ(loaded.volumes.size(), 1U);
  EXPECT_EQ(loaded.count(Reason::duplicate), 7);
  for (const std::string& path : paths) {  // and each alone gives the same values
    const Loaded alone = load(headers({path}), {.min_slices = 1});
    ASSERT_EQ(alone.volumes.size(), 1U) << path;
    EXPECT_EQ(alone.volumes[0].stack.voxels, loaded.volumes[0].stack.voxels) << path;
  }
}

TEST(RealDicom, PlansDoNotDependOnTheOrderOfFiles) {
  STRATA_REAL_DATA(folder, "geom_d2n_shared");
  const std::vector<FileRecord> records = headers(list_files(*folder));
  std::vector<FileRecord> reversed(records.rbegin(), records.rend());
  const Loaded there = load(records, {.min_slices = 4}), back = load(reversed, {.min_slices = 4});
  ASSERT_EQ(there.volumes.size(), back.volumes.size());
  for (std::size_t i = 0; i < there.volumes.size(); ++i) {
    EXPECT_EQ(there.volumes[i].tags.instance_uids, back.volumes[i].tags.instance_uids);
    EXPECT_EQ(there.volumes[i].stack.voxels, back.volumes[i].stack.voxels);
  }
  ASSERT_EQ(there.left_out.size(), back.left_out.size());
  for (std::size_t i = 0; i < there.left_out.size(); ++i) EXPECT_EQ(there.left_out[i].path, back.left_out[i].path);
}

}  // namespace
}  // namespace strata::io::dicom
