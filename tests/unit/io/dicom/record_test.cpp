// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/record.hpp"

#include <gtest/gtest.h>

#include "tests/fixtures/expect_error.hpp"

namespace strata::io::dicom {
namespace {

FileRecord record_with_everything() {
  FileRecord record;
  record.path = "a/b";
  record.detail = "detail";
  record.tags.patient_id = "p";
  record.tags.series_number = 7;
  record.tags.b_value = 1000;
  record.tags.instance_uids = {"1.2.3", ""};
  record.sop_instance_uid = "1.2.3";
  record.image_type = "ORIGINAL\\PRIMARY";
  record.rows = 3;
  record.pixels.padding = -2000;
  record.pixels.native_offset = 1234;
  record.frames.resize(2);
  record.frames[1].position = {1, 2, 3};
  record.frames[1].b_value = 500;
  return record;
}

TEST(DicomRecord, GoesThroughBytesUnchanged) {
  const std::vector<FileRecord> records{record_with_everything(), FileRecord{}};
  const std::vector<FileRecord> back = records_of(to_bytes(records));
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].path, "a/b");
  EXPECT_EQ(back[0].tags.patient_id, "p");
  EXPECT_EQ(back[0].tags.series_number, 7);
  EXPECT_EQ(back[0].tags.b_value, 1000);
  EXPECT_EQ(back[0].tags.instance_uids, records[0].tags.instance_uids);
  EXPECT_EQ(back[0].pixels, records[0].pixels);
  EXPECT_EQ(back[0].frames, records[0].frames);
  EXPECT_EQ(to_bytes(back), to_bytes(records));
}

TEST(DicomRecord, BytesCutAnywhereAreADataError) {
  const std::vector<std::byte> bytes = to_bytes(std::vector{record_with_everything()});
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_THROW(records_of(std::span(bytes).first(length)), Error) << length;
}

TEST(DicomRecord, EveryReasonHasItsName) {
  EXPECT_EQ(name_of(Reason::none), "none");
  EXPECT_EQ(name_of(Reason::mosaic), "mosaic");
  EXPECT_EQ(name_of(Reason::duplicate), "duplicate");
  EXPECT_EQ(name_of(Reason::too_few_slices), "too_few_slices");
  EXPECT_EQ(name_of(Reason::broken_pixels), "broken_pixels");
}

}  // namespace
}  // namespace strata::io::dicom
