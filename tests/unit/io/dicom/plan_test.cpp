// SPDX-License-Identifier: Apache-2.0
//
// Which images make which volume, on records without files.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "io/dicom/dicom.hpp"

namespace strata::io::dicom {
namespace {

FileRecord record_at(double z, int number = 0) {
  static int uid = 0;
  FileRecord record;
  record.sop_instance_uid = "1.2." + std::to_string(++uid);
  record.path = "file " + record.sop_instance_uid;
  record.tags.study_uid = "1", record.tags.series_uid = "1.1", record.tags.series_number = 3;
  record.tags.modality = "MR";
  record.instance_number = number;
  record.rows = record.pixels.rows = 4, record.columns = record.pixels.columns = 4;
  record.pixels.native_offset = 1000;
  Frame frame;
  frame.position = {0, 0, z};
  frame.row = {1, 0, 0}, frame.column = {0, 1, 0};
  frame.spacing_h = frame.spacing_w = 1;
  record.frames = {frame};
  return record;
}

std::vector<FileRecord> series(int count, double gap = 1) {
  std::vector<FileRecord> records;
  for (int i = 0; i < count; ++i) records.push_back(record_at(i * gap, i));
  return records;
}

struct Planned {
  std::vector<StackPlan> plans;
  std::vector<LeftOut> left_out;
  std::int64_t count(Reason reason) const { return std::ranges::count(left_out, reason, &LeftOut::reason); }
};

Planned plan(std::vector<FileRecord> records, const PlanOptions& options = {}) {
  Planned planned;
  planned.plans = plan_stacks(std::move(records), options, planned.left_out);
  return planned;
}

std::vector<double> places_of(const StackPlan& plan) {
  std::vector<double> places;
  for (std::size_t slice = 0; slice < plan.slices.size(); ++slice) places.push_back(plan.frame(slice).position[2]);
  return places;
}

TEST(DicomPlan, SortsAlongTheNormalNotByNumber) {
  std::vector<FileRecord> records = series(12);
  for (FileRecord& record : records) record.instance_number = 100 - record.instance_number;
  std::ranges::shuffle(records, std::mt19937(1));
  const Planned planned = plan(records);
  ASSERT_EQ(planned.plans.size(), 1U);
  EXPECT_TRUE(std::ranges::is_sorted(places_of(planned.plans[0])));
  EXPECT_EQ(planned.plans[0].tags.instance_uids.size(), 12U);
  EXPECT_TRUE(planned.left_out.empty());
}

TEST(DicomPlan, ADescendingNormalTurnsTheOrder) {
  std::vector<FileRecord> records = series(6);
  for (FileRecord& record : records) record.frames[0].column = {0, -1, 0};
  const std::vector<double> places = places_of(plan(records).plans.at(0));
  EXPECT_TRUE(std::ranges::is_sorted(places, std::greater()));
}

TEST(DicomPlan, StacksDifferInWhatMakesAVolume) {
  const auto changed = [](auto&& change) {
    std::vector<FileRecord> records = series(12);
    for (std::size_t i = 0; i < records.size(); i += 2) change(records[i]);
    return plan(records).plans.size();
  };
  EXPECT_EQ(changed([](FileRecord&) {}), 1U);
  EXPECT_EQ(changed([](FileRecord& r) { r.tags.series_number = 4; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.tags.series_uid = "1.9"; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.rows = 8; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].spacing_w = 1.1; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) {
              r.frames[0].row = {0, 0, 1}, r.frames[0].position[0] = r.frames[0].position[2];
            }),
            2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].row = {1, 1e-5, 0}; }), 1U);  // a digit less
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].echo_time = 90; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].echo_number = 2; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].b_value = 1000; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].temporal_position = 2; }), 2U);
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].frame_type = 77; }), 1U);  // added slices of one scan
  EXPECT_EQ(changed([](FileRecord& r) { r.frames[0].acquisition_number = r.instance_number; }), 1U);
}

TEST(DicomPlan, RepeatedPositionsAreSplitByWhatTheImagesAre) {
  for (const int by : {0, 1, 2}) {
    std::vector<FileRecord> records = series(8);
    for (FileRecord& record : series(8)) records.push_back(record);
    for (std::size_t i = 8; i < 16; ++i) {
      if (by == 0) records[i].frames[0].frame_type = 5;  // phase beside magnitude
      if (by == 1) records[i].tags.convolution_kernel = "BONE";
      if (by == 2) records[i].frames[0].acquisition_number = 2;
      records[i].instance_number = 7 - records[i].instance_number;  // ranks alone would mix them
    }
    const Planned planned = plan(records);
    ASSERT_EQ(planned.plans.size(), 2U) << by;
    for (const StackPlan& stack : planned.plans)
      for (const FileRecord& file : stack.files) {
        EXPECT_EQ(file.frames[0].frame_type, stack.files[0].frames[0].frame_type);
        EXPECT_EQ(file.tags.convolution_kernel, stack.files[0].tags.convolution_kernel);
        EXPECT_EQ(file.frames[0].acquisition_number, stack.files[0].frames[0].acquisition_number);
      }
  }
}

TEST(DicomPlan, OtherRepetitionsAreVolumesInTheirOrder) {
  std::vector<FileRecord> records;
  for (int pass = 0; pass < 3; ++pass)
    for (int i = 0; i < 6; ++i) records.push_back(record_at(i, pass * 6 + i));
  records.push_back(record_at(2, 99));  // a pass that was broken off
  std::ranges::shuffle(records, std::mt19937(2));
  const Planned planned = plan(records);
  ASSERT_EQ(planned.plans.size(), 3U);
  for (int pass = 0; pass < 3; ++pass)
    for (const FileRecord& file : planned.plans[static_cast<std::size_t>(pass)].files)
      EXPECT_EQ(file.instance_number / 6, pass);
  EXPECT_EQ(planned.count(Reason::repeated_position), 1);
}

TEST(DicomPlan, LeavesOutWhatIsNoVolume) {
  std::vector<FileRecord> records = series(4);
  EXPECT_EQ(plan(records).count(Reason::too_few_slices), 4);
  EXPECT_EQ(plan(records, {.min_slices = 4}).plans.size(), 1U);
  EXPECT_EQ(plan(records, {.min_slices = 4, .max_voxels = 63}).count(Reason::too_large), 4);
  for (FileRecord& record : records) record.frames[0].position[2] = 5;
  EXPECT_EQ(plan(records).count(Reason::not_a_volume), 4);
}

TEST(DicomPlan, CopiesCountOnceAndTheQuickestIsKept) {
  std::vector<FileRecord> records = series(6);
  for (FileRecord copy : series(6)) {
    copy.sop_instance_uid = records[static_cast<std::size_t>(copy.instance_number)].sop_instance_uid;
    copy.path = "a " + copy.path;  // first by name,
    copy.pixels.native_offset.reset();
    copy.transfer_syntax = "1.2.840.10008.1.2.4.90";  // but compressed
    records.push_back(copy);
  }
  const Planned planned = plan(records);
  ASSERT_EQ(planned.plans.size(), 1U);
  EXPECT_EQ(planned.plans[0].slices.size(), 6U);
  for (const FileRecord& file : planned.plans[0].files) EXPECT_TRUE(file.pixels.native_offset);
  EXPECT_EQ(planned.count(Reason::duplicate), 6);
}

TEST(DicomPlan, OneInstanceUidForEverySliceIsNoDuplicate) {
  std::vector<FileRecord> records = series(6);
  for (FileRecord& record : records) record.sop_instance_uid = "1";
  EXPECT_EQ(plan(records).plans.size(), 1U);
}

TEST(DicomPlan, AFileOfManyFramesMakesManyStacks) {
  FileRecord record = record_at(0);
  record.frames.clear();
  for (int i = 0; i < 20; ++i) {
    Frame frame = record_at(i / 2).frames[0];
    frame.index = i;
    frame.temporal_position = i % 2 + 1;
    record.frames.push_back(frame);
  }
  const Planned planned = plan({record});
  ASSERT_EQ(planned.plans.size(), 2U);
  EXPECT_EQ(planned.plans[1].tags.temporal_position, 2);
  EXPECT_EQ(planned.plans[1].files.size(), 1U);
  EXPECT_EQ(planned.plans[1].tags.instance_uids.size(), 1U);
  for (std::size_t slice = 0; slice < 10; ++slice)
    EXPECT_EQ(planned.plans[1].frame(slice).index, static_cast<int>(2 * slice + 1));
}

TEST(DicomPlan, RejectedRecordsKeepTheirReason) {
  std::vector<FileRecord> records = series(5);
  records.push_back(record_at(9));
  records.back().reason = Reason::secondary_capture;
  records.back().frames.clear();
  const Planned planned = plan(records);
  ASSERT_EQ(planned.left_out.size(), 1U);
  EXPECT_EQ(planned.left_out[0].reason, Reason::secondary_capture);
  EXPECT_EQ(planned.left_out[0].series_uid, "1.1");
}

TEST(DicomPlan, TheOrderOfRecordsDoesNotMatter) {
  std::vector<FileRecord> records = series(30);
  std::mt19937 random(3);
  for (FileRecord& record : records) {
    record.frames[0].position[2] = static_cast<double>(random() % 10);
    record.frames[0].echo_number = static_cast<int>(random() % 2);
    record.tags.series_number = static_cast<int>(random() % 2);
  }
  const auto summary = [&] {
    std::string text;
    const Planned planned = plan(records, {.min_slices = 2});
    for (const StackPlan& stack : planned.plans)
      for (const std::string& uid : stack.tags.instance_uids) text += uid + " ";
    for (const LeftOut& left : planned.left_out) text += left.path + " ";
    return text;
  };
  const std::string first = summary();
  for (int round = 0; round < 10; ++round) {
    std::ranges::shuffle(records, random);
    EXPECT_EQ(summary(), first);
  }
}

}  // namespace
}  // namespace strata::io::dicom
