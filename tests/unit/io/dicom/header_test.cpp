// SPDX-License-Identifier: Apache-2.0
//
// What one file's header is taken for, on files written byte by byte: kinds of objects, and hostile ones.
#include <gtest/gtest.h>

#include <random>

#include "strata/base/error.hpp"
#include "tests/fixtures/dicom_bytes.hpp"
#include "tests/unit/io/dicom/loaded.hpp"

namespace strata::io::dicom {
namespace {

using namespace fixtures;

FileRecord header_of(const std::string& bytes) {
  register_codecs();
  const ScratchFolder scratch;
  write_all(scratch.file("a"), bytes);
  return read_header(scratch.file("a"));
}

Reason reason_of(const DicomItem& item) { return header_of(explicit_file(item)).reason; }

TEST(DicomHeader, TellsWhatAScanIs) {
  DicomItem item = axial_slice(7, "MR");
  item.text(0x00080050, "SH", "A1")
      .text(0x00080070, "LO", "maker")
      .text(0x00081030, "LO", "head")
      .text(0x0008103e, "LO", "t1 ");
  item.text(0x00180015, "CS", "BRAIN")
      .text(0x00180050, "DS", "1.5")
      .text(0x00180060, "DS", "120")
      .text(0x00181210, "SH", "H30");
  item.text(0x00180080, "DS", "500").text(0x00180081, "DS", "12.5").text(0x00180086, "IS", "2").f64(0x00189087, 1000);
  item.text(0x00200100, "IS", "4").text(0x00200052, "UI", "1.2.9").text(0x00200012, "IS", "6");
  const FileRecord record = header_of(explicit_file(item));
  ASSERT_TRUE(record.is_image()) << record.detail;
  const study::ScanTags& tags = record.tags;
  EXPECT_EQ(tags.patient_id, "patient");
  EXPECT_EQ(tags.study_uid, "1.2.3");
  EXPECT_EQ(tags.series_uid, "1.2.3.4");
  EXPECT_EQ(tags.accession_number, "A1");
  EXPECT_EQ(tags.modality, "MR");
  EXPECT_EQ(tags.study_description, "head");
  EXPECT_EQ(tags.series_description, "t1");
  EXPECT_EQ(tags.convolution_kernel, "H30");
  EXPECT_EQ(tags.body_part, "BRAIN");
  EXPECT_EQ(tags.manufacturer, "maker");
  EXPECT_EQ(tags.kvp, 120);
  EXPECT_EQ(tags.slice_thickness, 1.5);
  EXPECT_EQ(tags.repetition_time, 500);
  EXPECT_EQ(tags.echo_time, 12.5);
  EXPECT_EQ(tags.b_value, 1000);
  EXPECT_EQ(tags.series_number, 5);
  EXPECT_EQ(tags.echo_number, 2);
  EXPECT_EQ(tags.temporal_position, 4);
  EXPECT_EQ(tags.instance_uids, std::vector<std::string>{"1.2.3.4.1007"});
  EXPECT_EQ(record.frame_of_reference_uid, "1.2.9");
  EXPECT_EQ(record.frames.at(0).acquisition_number, 6);
  EXPECT_EQ(record.transfer_syntax, "1.2.840.10008.1.2.1");
}

TEST(DicomHeader, TextsComeInUtf8) {
  DicomItem item = axial_slice(0);
  item.text(0x00080005, "CS", "ISO_IR 100")
      .text(0x0008103e, "LO",
            "Sch\xe4"
            "del");
  EXPECT_EQ(header_of(explicit_file(item)).tags.series_description,
            "Sch\xc3\xa4"
            "del");
}

TEST(DicomHeader, ObjectsThatAreNoScansAreNamed) {
  const auto of_class = [](const char* uid) { return reason_of(axial_slice(0).text(0x00080016, "UI", uid)); };
  EXPECT_EQ(of_class(kCtClass), Reason::none);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.7"), Reason::secondary_capture);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.7.2"), Reason::secondary_capture);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.88.11"), Reason::structured_report);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.88.67"), Reason::dose_report);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.66.4"), Reason::other_object);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.11.1"), Reason::other_object);
  EXPECT_EQ(of_class("1.2.840.10008.5.1.4.1.1.481.2"), Reason::other_object);
  EXPECT_EQ(reason_of(axial_slice(0, "US")), Reason::other_modality);
  EXPECT_EQ(reason_of(axial_slice(0).remove(0x7fe00010)), Reason::no_pixels);
}

TEST(DicomHeader, LocalizersAndPagesAreNamed) {
  const auto of_type = [](const char* type) { return reason_of(axial_slice(0).text(0x00080008, "CS", type)); };
  EXPECT_EQ(of_type("ORIGINAL\\PRIMARY\\LOCALIZER"), Reason::localizer);
  EXPECT_EQ(of_type("DERIVED\\SECONDARY\\SCREEN SAVE"), Reason::secondary_capture);
  EXPECT_EQ(of_type("DERIVED\\SECONDARY\\REFORMATTED"), Reason::none);
  const auto of_series = [](const char* text) { return reason_of(axial_slice(0).text(0x0008103e, "LO", text)); };
  EXPECT_EQ(of_series("AAHead_Scout"), Reason::localizer);
  EXPECT_EQ(of_series("3-plane Localizer"), Reason::localizer);
  EXPECT_EQ(of_series("Scouting party"), Reason::none);
  EXPECT_EQ(of_series("Dose Report"), Reason::dose_report);
  EXPECT_EQ(of_series("Low dose chest"), Reason::none);
}

TEST(DicomHeader, GeometryThatIsNoneIsNamed) {
  EXPECT_EQ(reason_of(axial_slice(0).remove(0x00200032)), Reason::no_position);
  EXPECT_EQ(reason_of(axial_slice(0).remove(0x00200037)), Reason::no_position);
  EXPECT_EQ(reason_of(axial_slice(0).remove(0x00280030)), Reason::no_position);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00080008, "CS", "DERIVED\\PRIMARY").remove(0x00200032)), Reason::derived);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00200032, "DS", "1\\2\\x")), Reason::no_position);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00200032, "DS", "1\\2\\1e30")), Reason::bad_geometry);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00200037, "DS", "1\\0\\0\\1\\0\\0")), Reason::bad_geometry);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00200037, "DS", "0\\0\\0\\0\\1\\0")), Reason::bad_geometry);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00280030, "DS", "0\\1")), Reason::bad_geometry);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00280030, "DS", "-1\\1")), Reason::bad_geometry);
  const FileRecord rounded =
      header_of(explicit_file(axial_slice(0).text(0x00200037, "DS", "0.99\\0.14\\0\\-0.14\\0.99\\0.001")));
  ASSERT_TRUE(rounded.is_image());
  EXPECT_NEAR(dot(rounded.frames[0].row, rounded.frames[0].row), 1, 1e-12);
  EXPECT_NEAR(dot(rounded.frames[0].row, rounded.frames[0].column), 0, 1e-12);
}

TEST(DicomHeader, PixelsThatCannotBeReadAreNamed) {
  EXPECT_EQ(reason_of(axial_slice(0).u16(0x00280002, 3).text(0x00280004, "CS", "RGB")), Reason::colour);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00280004, "CS", "PALETTE COLOR")), Reason::colour);
  EXPECT_EQ(reason_of(axial_slice(0).u16(0x00280100, 1).u16(0x00280101, 1).u16(0x00280102, 0)),
            Reason::unsupported_pixels);
  EXPECT_EQ(reason_of(axial_slice(0).u16(0x00280101, 17)), Reason::unsupported_pixels);
  EXPECT_EQ(reason_of(axial_slice(0).u16(0x00280102, 3)), Reason::unsupported_pixels);
  EXPECT_EQ(reason_of(axial_slice(0).u16(0x00280010, 0)), Reason::unsupported_pixels);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00281053, "DS", "0")), Reason::unsupported_pixels);
  EXPECT_EQ(reason_of(axial_slice(0).u16(0x00280010, 200)), Reason::truncated);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00280008, "IS", "2147483647")), Reason::truncated);
  EXPECT_EQ(reason_of(axial_slice(0).text(0x00280008, "IS", "-1")), Reason::unsupported_pixels);
  const std::string movie =
      dicom_file(axial_slice(0), "1.2.840.10008.1.2.4.102", DicomSyntax::explicit_little, kCtClass);
  EXPECT_EQ(header_of(movie).reason, Reason::unsupported_syntax);
}

TEST(DicomHeader, FilesThatAreNotDicomAreNamed) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string("hello, this is a text of some length"), std::string(4096, '\0')})
    EXPECT_EQ(header_of(bytes).reason, Reason::not_dicom) << bytes.size();
  EXPECT_EQ(header_of(std::string(128, '\0') + "DICM").reason, Reason::truncated);
  EXPECT_EQ(read_header("/no such file").reason, Reason::unreadable);
  EXPECT_EQ(
      header_of(dicom_file(axial_slice(0), "1.2.840.10008.1.2.1", DicomSyntax::explicit_little, "1.2.840.10008.1.3.10"))
          .reason,
      Reason::dicomdir);
}

TEST(DicomHeader, DetailsNameNoPatient) {
  DicomItem item = axial_slice(0);
  item.text(0x00100010, "PN", "Roe^Jane").text(0x00100020, "LO", "secret").text(0x00080060, "CS", "Roe^Jane");
  const FileRecord record = header_of(explicit_file(item));
  EXPECT_EQ(record.reason, Reason::other_modality);
  EXPECT_EQ(record.detail.find("Roe"), std::string::npos);
}

// Undefined lengths all the way down: the parser recurses.
TEST(DicomHeader, DeepNestingEndsTheParse) {
  std::string nest;
  for (int i = 0; i < 200000; ++i)
    nest += std::string("\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", 20);
  const std::string bytes = explicit_file(axial_slice(0).remove(0x7fe00010)) + nest;
  const FileRecord record = header_of(bytes);
  EXPECT_EQ(record.reason, Reason::unreadable);
  EXPECT_EQ(record.detail, "sequences are nested too deep");
}

TEST(DicomHeader, AnnouncedLengthsAreNotBelieved) {
  std::string bytes = explicit_file(axial_slice(0).remove(0x7fe00010));
  bytes += std::string("\x40\x00\x31\xa7OB\0\0\xf0\xff\xff\xff", 12) + "abc";
  EXPECT_EQ(header_of(bytes).reason, Reason::truncated);
  bytes = explicit_file(axial_slice(0).remove(0x7fe00010)) + std::string("\xe0\x7f\x10\x00OW\0\0\xf0\xff\xff\xff", 12) +
          "abc";
  EXPECT_EQ(header_of(bytes).reason, Reason::truncated);
}

TEST(DicomHeader, EveryPrefixOfAFileIsRejected) {
  const std::string bytes = explicit_file(axial_slice(0));
  for (std::size_t length = 0; length < bytes.size(); length += 3) {
    const FileRecord record = header_of(bytes.substr(0, length));
    EXPECT_FALSE(record.is_image()) << length;
    EXPECT_FALSE(record.detail.empty()) << length;
  }
}

TEST(DicomHeader, MutatedFilesAreReadOrRejected) {
  register_codecs();
  const ScratchFolder scratch;
  const std::string path = scratch.file("a");
  std::mt19937 random(7);
  int images = 0;
  for (int round = 0; round < 500; ++round) {
    std::string bytes = explicit_file(axial_slice(0));
    for (std::size_t change = 0; change < 1 + random() % 4; ++change)
      bytes[132 + random() % (bytes.size() - 132)] = static_cast<char>(random());
    write_all(path, bytes);
    try {
      images += static_cast<int>(load({read_header(path)}, {.min_slices = 1}).volumes.size());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
  EXPECT_GT(images, 30);
}

DicomItem enhanced(int frames, int passes) {
  DicomItem item = axial_slice(0, "MR");
  item.remove(0x00200032).remove(0x00200037).remove(0x00280030);
  item.text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4.1").text(0x00280008, "IS", std::to_string(frames * passes));
  DicomItem orientation, measures;
  orientation.text(0x00200037, "DS", "1\\0\\0\\0\\1\\0");
  measures.text(0x00280030, "DS", "0.5\\0.25").text(0x00180050, "DS", "2");
  item.sequence(0x52009229, {DicomItem().sequence(0x00209116, {orientation}).sequence(0x00289110, {measures})});
  std::vector<DicomItem> groups;
  std::vector<int> cells;
  for (int i = 0; i < frames * passes; ++i) {
    const int z = frames - 1 - i / passes, pass = i % passes + 1;  // against the normal, passes interleaved
    DicomItem content, position, rescale;
    content.raw(0x00209128, "UL", DicomItem::little(static_cast<std::uint64_t>(pass), 4));
    position.text(0x00200032, "DS", "0\\0\\" + std::to_string(z));
    rescale.text(0x00281052, "DS", std::to_string(100 * pass)).text(0x00281053, "DS", "1");
    groups.push_back(
        DicomItem().sequence(0x00209111, {content}).sequence(0x00209113, {position}).sequence(0x00289145, {rescale}));
    for (int cell = 0; cell < 6; ++cell) cells.push_back(z);
  }
  return item.sequence(0x52009230, groups).raw(0x7fe00010, "OW", cells16(cells));
}

TEST(DicomEnhanced, FramesFollowTheirOwnGroupsAndTheSharedOnes) {
  const ScratchFolder scratch;
  write_all(scratch.file("a"), explicit_file(enhanced(6, 2)));
  const Loaded loaded = load(headers({scratch.file("a")}));
  ASSERT_EQ(loaded.volumes.size(), 2U);
  for (std::size_t pass = 0; pass < 2; ++pass) {
    const study::SliceStack& stack = loaded.volumes[pass].stack;
    ASSERT_EQ(stack.slices(), 6);
    EXPECT_EQ(stack.step_w, (study::Vec3{-0.25, 0, 0}));
    EXPECT_EQ(loaded.volumes[pass].tags.slice_thickness, 2);
    for (std::size_t slice = 0; slice < 6; ++slice) {
      EXPECT_EQ(stack.origins[slice][2], static_cast<double>(slice));
      EXPECT_EQ(stack.voxels[6 * slice], static_cast<float>(100 * (pass + 1) + slice));
    }
  }
}

TEST(DicomEnhanced, GroupsThatDoNotFitTheFramesAreRejected) {
  EXPECT_EQ(reason_of(enhanced(6, 1).text(0x00280008, "IS", "5")), Reason::bad_geometry);
  EXPECT_EQ(reason_of(enhanced(6, 1).text(0x00280008, "IS", "7")), Reason::truncated);
  EXPECT_EQ(reason_of(enhanced(6, 1).remove(0x52009229)), Reason::no_position);
  EXPECT_EQ(reason_of(enhanced(6, 1).remove(0x52009230)), Reason::bad_geometry);
}

}  // namespace
}  // namespace strata::io::dicom
