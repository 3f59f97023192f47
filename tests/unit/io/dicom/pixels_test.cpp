// SPDX-License-Identifier: Apache-2.0
//
// Stored values to values, on files written byte by byte.
#include <gtest/gtest.h>

#include "tests/fixtures/dicom_bytes.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/unit/io/dicom/loaded.hpp"

namespace strata::io::dicom {
namespace {

using namespace fixtures;
using Values = std::vector<float>;

StackRead read_one(const std::string& bytes) {
  const ScratchFolder scratch;
  write_all(scratch.file("a"), bytes);
  Loaded loaded = load(headers({scratch.file("a")}), {.min_slices = 1});
  if (loaded.volumes.size() != 1) {
    ADD_FAILURE() << name_of(loaded.left_out.front().reason) << ": " << loaded.left_out.front().detail;
    return {};
  }
  return std::move(loaded.volumes.front());
}

Values values_of(const DicomItem& item) { return read_one(explicit_file(item)).stack.voxels; }

TEST(DicomPixels, SignedWordsComeAsTheyAre) {
  DicomItem item = axial_slice(0);
  item.raw(0x7fe00010, "OW", cells16({-32768, -1, 0, 1, 100, 32767}));
  EXPECT_EQ(values_of(item), (Values{-32768, -1, 0, 1, 100, 32767}));
  EXPECT_EQ(values_of(item.u16(0x00280103, 0)), (Values{32768, 65535, 0, 1, 100, 32767}));
}

TEST(DicomPixels, OnlyTheStoredBitsCount) {
  DicomItem item = axial_slice(0);  // 12 bits up to bit 11, an overlay in the upper four
  item.u16(0x00280101, 12).u16(0x00280102, 11);
  item.raw(0x7fe00010, "OW", cells16({0xf7ff, 0x0800, 0x1fff, 0x8000, 5, 0x0ffe}));
  EXPECT_EQ(values_of(item), (Values{2047, -2048, -1, 0, 5, -2}));
  EXPECT_EQ(values_of(item.u16(0x00280103, 0)), (Values{2047, 2048, 4095, 0, 5, 4094}));
  item.u16(0x00280102, 15);  // the same bits at the top
  item.raw(0x7fe00010, "OW", cells16({0x7ff0, 0x8000, 0xffff, 0x000f, 0x0050, 0xffe0}));
  EXPECT_EQ(values_of(item), (Values{2047, 2048, 4095, 0, 5, 4094}));
}

TEST(DicomPixels, BytesAndDoubleWords) {
  DicomItem item = axial_slice(0);
  item.u16(0x00280100, 8)
      .u16(0x00280101, 8)
      .u16(0x00280102, 7)
      .raw(0x7fe00010, "OB", std::string("\x80\xff\0\1\2\x7f", 6));
  EXPECT_EQ(values_of(item), (Values{-128, -1, 0, 1, 2, 127}));
  EXPECT_EQ(values_of(item.u16(0x00280103, 0)), (Values{128, 255, 0, 1, 2, 127}));
  item = axial_slice(0);
  item.u16(0x00280100, 32).u16(0x00280101, 32).u16(0x00280102, 31);
  std::string cells;
  for (const int value : {-100000, -1, 0, 1, 70000, 8388607})
    cells += DicomItem::little(static_cast<std::uint64_t>(value), 4);
  EXPECT_EQ(values_of(item.raw(0x7fe00010, "OW", cells)), (Values{-100000, -1, 0, 1, 70000, 8388607}));
}

TEST(DicomPixels, RescaleIsInDoubleAndOfEachSlice) {
  DicomItem item = axial_slice(0);
  item.text(0x00281053, "DS", "1").text(0x00281052, "DS", "-1024");
  EXPECT_EQ(values_of(item), (Values{-1024, -1023, -1022, -1021, -1020, -1019}));
  item.text(0x00281053, "DS", "0.1").text(0x00281052, "DS", "0.3");
  Values expected;
  for (int i = 0; i < 6; ++i) expected.push_back(static_cast<float>(i * 0.1 + 0.3));
  EXPECT_EQ(values_of(item), expected);

  const ScratchFolder scratch;
  std::vector<std::string> paths;
  for (int z = 0; z < 3; ++z) {
    DicomItem slice = axial_slice(z);
    slice.text(0x00281053, "DS", std::to_string(z + 1));
    paths.push_back(scratch.file(std::to_string(z)));
    write_all(paths.back(), explicit_file(slice));
  }
  const Loaded loaded = load(headers(paths), {.min_slices = 3});
  ASSERT_EQ(loaded.volumes.size(), 1U);
  EXPECT_EQ(loaded.volumes[0].stack.voxels, (Values{0, 1, 2, 3, 4, 5, 2, 4, 6, 8, 10, 12, 6, 9, 12, 15, 18, 21}));
}

TEST(DicomPixels, PaddingIsOneValueForTheWholeStack) {
  DicomItem item = axial_slice(0);
  item.raw(0x7fe00010, "OW", cells16({-2000, -1999, -1500, -2001, 0, 7}));
  item.text(0x00281052, "DS", "10").u16(0x00280120, -2000, "SS");
  StackRead read = read_one(explicit_file(item));
  EXPECT_EQ(read.stack.padding, -1990.F);
  EXPECT_EQ(read.stack.voxels, (Values{-1990, -1989, -1490, -1991, 10, 17}));
  read = read_one(explicit_file(item.u16(0x00280121, -1500, "SS")));  // a range, to its limit
  EXPECT_EQ(read.stack.voxels, (Values{-1990, -1990, -1990, -1991, 10, 17}));
  item.u16(0x00280120, 63536, "US").remove(0x00280121);  // -2000 by its bits
  EXPECT_EQ(read_one(explicit_file(item)).stack.padding, -1990.F);
  item.u16(0x00280120, 1234, "US");  // declared, but nowhere
  EXPECT_FALSE(read_one(explicit_file(item)).stack.padding);
}

TEST(DicomPixels, Monochrome1InvertsWhatHasNoUnit) {
  DicomItem item = axial_slice(0, "MR");
  item.text(0x00280004, "CS", "MONOCHROME1").u16(0x00280103, 0).u16(0x00280101, 12).u16(0x00280102, 11);
  EXPECT_EQ(values_of(item), (Values{4095, 4094, 4093, 4092, 4091, 4090}));
  EXPECT_EQ(values_of(item.u16(0x00280103, 1)), (Values{-1, -2, -3, -4, -5, -6}));
  DicomItem ct = axial_slice(0);
  EXPECT_EQ(values_of(ct.text(0x00280004, "CS", "MONOCHROME1")), (Values{0, 1, 2, 3, 4, 5}));
}

TEST(DicomPixels, EveryUncompressedSyntaxGivesTheSame) {
  const DicomItem item = axial_slice(300);
  const Values expected{300, 301, 302, 303, 304, 305};
  EXPECT_EQ(read_one(dicom_file(item, "1.2.840.10008.1.2", DicomSyntax::implicit_little, kCtClass)).stack.voxels,
            expected);
  EXPECT_EQ(read_one(dicom_file(item, "1.2.840.10008.1.2.2", DicomSyntax::explicit_big, kCtClass)).stack.voxels,
            expected);
  EXPECT_EQ(read_one(dicom_file(item, "1.2.840.10008.1.2.1.99", DicomSyntax::deflated, kCtClass)).stack.voxels,
            expected);
  EXPECT_EQ(read_one(item.body(DicomSyntax::explicit_little)).stack.voxels, expected);  // no preamble, no meta header
  EXPECT_EQ(read_one(item.body(DicomSyntax::implicit_little)).stack.voxels, expected);
}

TEST(DicomPixels, BigEndianBytesAreSwappedIfTheyWereWrittenAsWords) {
  DicomItem item = axial_slice(0);
  item.u16(0x00280100, 8).u16(0x00280101, 8).u16(0x00280102, 7).raw(0x7fe00010, "OB", std::string("\1\2\3\4\5\6", 6));
  const Values expected{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(read_one(dicom_file(item, "1.2.840.10008.1.2.2", DicomSyntax::explicit_big, kCtClass)).stack.voxels,
            expected);
  item.raw(0x7fe00010, "OW", std::string("\1\2\3\4\5\6", 6));
  EXPECT_EQ(read_one(dicom_file(item, "1.2.840.10008.1.2.2", DicomSyntax::explicit_big, kCtClass)).stack.voxels,
            expected);
}

TEST(DicomPixels, GeometryIsRightAnteriorSuperior) {
  const StackRead read = read_one(explicit_file(axial_slice(7)));
  EXPECT_EQ(read.stack.origins, (std::vector<study::Vec3>{{10, 20, 7}}));
  EXPECT_EQ(read.stack.step_w, (study::Vec3{-0.25, 0, 0}));
  EXPECT_EQ(read.stack.step_h, (study::Vec3{0, -0.5, 0}));
}

std::vector<std::string> write_slices(const ScratchFolder& scratch, int count, const std::vector<int>& broken) {
  std::vector<std::string> paths;
  for (int z = 0; z < count; ++z) {
    DicomItem slice = axial_slice(z);
    // RLE of one frame: a table of segments, then bytes; broken ones announce more segments than there are bytes.
    const bool bad = std::ranges::find(broken, z) != broken.end();
    const auto row = [&](int high) {
      std::string segment(1, '\5');
      for (int i = 0; i < 6; ++i) segment.push_back(high ? '\0' : static_cast<char>(z + i));
      return segment + std::string(1, '\0');
    };
    std::string frame =
        DicomItem::little(bad ? 9 : 2, 4) + DicomItem::little(64, 4) + DicomItem::little(72, 4) + std::string(52, '\0');
    frame += row(1) + row(0);
    const std::string item = DicomItem::little(0xe000fffe, 4),
                      end = DicomItem::little(0xe0ddfffe, 4) + DicomItem::little(0, 4);
    slice.raw(0x7fe00010, "OB",
              item + DicomItem::little(0, 4) + item + DicomItem::little(frame.size(), 4) + frame + end);
    paths.push_back(scratch.file(std::to_string(z)));
    write_all(paths.back(), dicom_file(slice, "1.2.840.10008.1.2.5", DicomSyntax::other, kCtClass));
  }
  return paths;
}

TEST(DicomPixels, ASliceThatCannotBeDecodedIsLeftOutAndNamed) {
  const ScratchFolder scratch;
  const auto paths = write_slices(scratch, 12, {4});
  const Loaded loaded = load(headers(paths));
  ASSERT_EQ(loaded.volumes.size(), 1U);
  const StackRead& read = loaded.volumes[0];
  EXPECT_EQ(read.stack.slices(), 11);
  EXPECT_EQ(read.stack.voxels.size(), 11U * 6U);
  EXPECT_EQ(read.stack.voxels[4 * 6], 5.F);
  EXPECT_EQ(read.tags.instance_uids.size(), 11U);
  ASSERT_EQ(read.left_out.size(), 1U);
  EXPECT_EQ(read.left_out[0].reason, Reason::broken_pixels);
  EXPECT_EQ(read.left_out[0].path, paths[4]);
}

TEST(DicomPixels, TooManyOrNeighbouringBrokenSlicesRejectTheStack) {
  for (const std::vector<int>& broken : {std::vector{4, 5}, std::vector{2, 6, 9}}) {
    const ScratchFolder scratch;
    const auto paths = write_slices(scratch, 12, broken);
    const auto message = message_of([&] { load(headers(paths)); }, ErrorKind::data);
    EXPECT_NE(message.find("2 or more of 12 slices cannot be decoded"), std::string::npos) << message;
  }
}

TEST(DicomPixels, FilesThatAreGoneAreADataError) {
  std::vector<FileRecord> records;
  {
    const ScratchFolder scratch;
    write_all(scratch.file("a"), explicit_file(axial_slice(0)));
    records = headers({scratch.file("a")});
  }
  std::vector<LeftOut> left_out;
  const auto plans = plan_stacks(records, {.min_slices = 1}, left_out);
  ASSERT_EQ(plans.size(), 1U);
  message_of([&] { read_stack(plans[0]); }, ErrorKind::data);
}

}  // namespace
}  // namespace strata::io::dicom
