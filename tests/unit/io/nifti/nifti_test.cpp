// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/nifti.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/nifti_bytes.hpp"
#include "tests/fixtures/safetensors_bytes.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::as_bytes;
using fixtures::gzip_stored;
using fixtures::message_of;
using fixtures::nifti_file;
using fixtures::NiftiParts;
using study::Extents3;
using study::Vec3;

const std::vector<std::int16_t> kVoxels{0, 1, 2, 3, 4, 5, -6, -7, -8, -9, -10, 11};  // 2 × 3 × 2
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

NiftiImage parse(const std::string& bytes, const NiftiOptions& options = {}) {
  return read_nifti(as_bytes(bytes), "x", options);
}

std::string refusal(const std::string& bytes, const NiftiOptions& options = {}) {
  return message_of([&] { parse(bytes, options); }, ErrorKind::data);
}

std::string refusal(const NiftiParts& parts) { return refusal(nifti_file(parts, kVoxels)); }

bool contains(const std::vector<std::string>& notes, const std::string& part) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

TEST(Nifti, AxesAreSlicesRowsColumnsAsStored) {
  NiftiParts parts;
  parts.sform = {-2, 0, 0, 10, 0, -3, 0, 20, 0, 0, 4, -30};
  parts.pixdim = {1, 2, 3, 4, 0, 0, 0, 0};
  const auto image = parse(nifti_file(parts, kVoxels));
  ASSERT_EQ(image.volumes.size(), 1u);
  const auto& volume = image.volumes[0];
  EXPECT_EQ(volume.geometry.extents, (Extents3{2, 3, 2}));
  EXPECT_EQ(volume.geometry.origin, (Vec3{10, 20, -30}));
  EXPECT_EQ(volume.geometry.steps[0], (Vec3{0, 0, 4}));
  EXPECT_EQ(volume.geometry.steps[1], (Vec3{0, -3, 0}));
  EXPECT_EQ(volume.geometry.steps[2], (Vec3{-2, 0, 0}));
  EXPECT_EQ(volume.voxels, std::vector<float>(kVoxels.begin(), kVoxels.end()));
  EXPECT_FALSE(volume.padding);
  EXPECT_EQ(image.affine, AffineSource::sform);
  EXPECT_EQ(image.type, "int16");
  EXPECT_TRUE(image.notes.empty()) << image.notes[0];
}

TEST(Nifti, ScalingAppliesWhereASlopeIsGiven) {
  for (const int version : {1, 2}) {
    NiftiParts parts;
    parts.version = version;
    parts.slope = 0.5;
    parts.intercept = -1024;
    EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].voxels[11], 11 * 0.5f - 1024);
    parts.slope = 0;
    EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].voxels[11], 11);
    parts.slope = kNan;
    parts.intercept = kNan;
    EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].voxels[11], 11);
    parts.slope = 2;
    EXPECT_NE(refusal(parts).find("the slope of the intensities is 2, but their intercept nan"), std::string::npos);
    parts.slope = INFINITY;
    EXPECT_NE(refusal(parts).find("slope of the intensities is infinite"), std::string::npos);
  }
}

TEST(Nifti, FormsThatDisagreeAreReportedAndTheSFormTaken) {
  NiftiParts parts;
  parts.qform_code = 1;
  EXPECT_TRUE(parse(nifti_file(parts, kVoxels)).notes.empty());
  parts.qoffset = {0, 0, 5};
  auto image = parse(nifti_file(parts, kVoxels));
  ASSERT_EQ(image.notes.size(), 1u);
  EXPECT_EQ(image.notes[0], "s-form and q-form place a corner 5 mm apart: the s-form was taken");
  parts.pixdim[0] = -1;
  image = parse(nifti_file(parts, kVoxels));
  EXPECT_TRUE(contains(image.notes, "mirror images")) << image.notes[0];
  EXPECT_EQ(image.volumes[0].geometry.steps[0], (Vec3{0, 0, 1}));
  parts.sform_code = 0;
  image = parse(nifti_file(parts, kVoxels));
  EXPECT_TRUE(image.notes.empty());
  EXPECT_EQ(image.affine, AffineSource::qform);
  EXPECT_EQ(image.volumes[0].geometry.steps[0], (Vec3{0, 0, -1}));
  EXPECT_EQ(image.volumes[0].geometry.origin, (Vec3{0, 0, 5}));
}

TEST(Nifti, AFormThatIsNoAffineIsLeftOutWithANote) {
  NiftiParts parts;
  parts.qform_code = 1;
  parts.sform = {1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0};  // two steps in one direction
  const auto flat = parse(nifti_file(parts, kVoxels));
  EXPECT_EQ(flat.affine, AffineSource::qform);
  EXPECT_TRUE(contains(flat.notes, "s-form is no usable affine"));
  for (const auto entry : {4u, 7u, 11u}) {
    parts.sform = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    parts.sform[entry] = kNan;
    EXPECT_EQ(parse(nifti_file(parts, kVoxels)).affine, AffineSource::qform);
  }
  parts.quaternion = {1, 1, 0};
  const auto neither = parse(nifti_file(parts, kVoxels));
  EXPECT_EQ(neither.affine, AffineSource::spacing);
  EXPECT_TRUE(contains(neither.notes, "q-form is no usable rotation"));
  EXPECT_TRUE(contains(neither.notes, "left and right may be exchanged"));
}

TEST(Nifti, WithoutFormsOnlySpacingIsKnown) {
  NiftiParts parts;
  parts.sform_code = 0;
  parts.pixdim = {1, 0.5, 0.75, 3, 0, 0, 0, 0};
  const auto image = parse(nifti_file(parts, kVoxels));
  EXPECT_EQ(image.affine, AffineSource::spacing);
  EXPECT_EQ(image.volumes[0].geometry.steps, (std::array<Vec3, 3>{{{0, 0, 3}, {0, 0.75, 0}, {0.5, 0, 0}}}));
  EXPECT_TRUE(contains(image.notes, "does not say how the volume lies"));
  parts.pixdim[2] = 0;
  EXPECT_EQ(refusal(parts),
            "[nifti] 'x': neither s-form nor q-form is usable, and the voxel sizes are 0.5 × 0 × 3 mm: write the "
            "affine into the file");
  parts.dim = {3, 12, 1, 1, 1, 1, 1, 1};  // an axis of one voxel needs no size
  EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].geometry.steps[1], (Vec3{0, 1, 0}));
}

TEST(Nifti, OtherUnitsBecomeMillimetres) {
  NiftiParts parts;
  parts.units = 1;
  const auto metres = parse(nifti_file(parts, kVoxels));
  EXPECT_EQ(metres.volumes[0].geometry.steps[2], (Vec3{1000, 0, 0}));
  EXPECT_TRUE(contains(metres.notes, "metres"));
  parts.units = 3;
  EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].geometry.steps[2], (Vec3{0.001, 0, 0}));
  parts.units = 0;
  EXPECT_TRUE(parse(nifti_file(parts, kVoxels)).notes.empty());
}

TEST(Nifti, SpacingThatContradictsTheSFormIsReported) {
  NiftiParts parts;
  parts.pixdim[3] = 2;
  EXPECT_TRUE(
      contains(parse(nifti_file(parts, kVoxels)).notes, "voxels of 2 mm along z, but the s-form steps by 1 mm"));
}

TEST(Nifti, FourDimensionsAreRefusedOrSplit) {
  NiftiParts parts;
  parts.dim = {4, 2, 1, 2, 3, 1, 1, 1};
  EXPECT_EQ(refusal(parts),
            "[nifti] 'x': the file holds 3 volumes, one was expected: choose to split it, or save the volume that is "
            "meant");
  const auto image = parse(nifti_file(parts, kVoxels), {.four_d = FourD::split});
  ASSERT_EQ(image.volumes.size(), 3u);
  EXPECT_EQ(image.volumes[2].geometry.extents, (Extents3{2, 1, 2}));
  EXPECT_EQ(image.volumes[2].voxels, (std::vector<float>{-8, -9, -10, 11}));
  parts.dim = {5, 2, 3, 1, 1, 2, 1, 1};
  EXPECT_NE(refusal(nifti_file(parts, kVoxels), {.four_d = FourD::split}).find("vectors are not read"),
            std::string::npos);
  parts.dim = {7, 2, 3, 2, 1, 1, 1, 1};
  EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].geometry.extents, (Extents3{2, 3, 2}));
}

TEST(Nifti, FewerDimensionsHaveExtentsOfOne) {
  NiftiParts parts;
  parts.dim = {2, 4, 3, 99, 99, -1, 0, 0};  // what stands beyond dim[0] is nothing
  EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].geometry.extents, (Extents3{1, 3, 4}));
  parts.dim = {1, 12, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(parse(nifti_file(parts, kVoxels)).volumes[0].geometry.extents, (Extents3{1, 1, 12}));
}

TEST(Nifti, UnmeasuredVoxelsBecomePaddingBelowAllOthers) {
  NiftiParts parts;
  parts.datatype = 16;
  parts.bitpix = 32;
  std::vector<float> voxels(12, 3.0f);
  voxels[1] = kNan;
  voxels[4] = -100;
  voxels[7] = INFINITY;
  const auto image = parse(nifti_file(parts, voxels));
  const auto& volume = image.volumes[0];
  EXPECT_EQ(volume.padding, -101.0f);
  EXPECT_EQ(volume.voxels[1], -101);
  EXPECT_EQ(volume.voxels[7], -101);
  EXPECT_EQ(volume.voxels[4], -100);
  EXPECT_TRUE(contains(image.notes, "2 voxels are NaN or infinite"));
  voxels[4] = -3e38f;  // no f32 lies one below
  EXPECT_LT(*parse(nifti_file(parts, voxels)).volumes[0].padding, -3e38f);
  EXPECT_NE(refusal(nifti_file(parts, std::vector<float>(12, kNan))).find("all 12 voxels are NaN"), std::string::npos);
}

TEST(Nifti, WholeNumbersThatSinglePrecisionRoundsAreCounted) {
  NiftiParts parts;
  parts.datatype = 8;
  parts.bitpix = 32;
  std::vector<std::int32_t> voxels(12, 1 << 24);
  voxels[3] = (1 << 24) + 1;
  EXPECT_TRUE(contains(parse(nifti_file(parts, voxels)).notes, "1 voxels were rounded"));
}

TEST(Nifti, GzipIsToldByContentAndItsChecksumVerified) {
  const std::string file = nifti_file({}, kVoxels);
  const auto plain = parse(file);
  EXPECT_EQ(parse(gzip_stored(file)).volumes[0].voxels, plain.volumes[0].voxels);
  // Several members are one stream; zeros behind it are none.
  const std::string members = gzip_stored(file.substr(0, 100)) + gzip_stored("") + gzip_stored(file.substr(100));
  EXPECT_EQ(parse(members + std::string(7, '\0')).volumes[0].voxels, plain.volumes[0].voxels);
  std::string damaged = gzip_stored(file);
  damaged[damaged.size() - 12] ^= 1;  // in the last voxel
  EXPECT_NE(refusal(damaged).find("the gzip stream is damaged"), std::string::npos);
  for (std::size_t size = 2; size < members.size(); size += 3)
    EXPECT_FALSE(refusal(members.substr(0, size)).empty()) << size;
}

TEST(Nifti, TruncatedFilesAreRefusedAtEveryLength) {
  for (const int version : {1, 2}) {
    NiftiParts parts;
    parts.version = version;
    const std::string file = nifti_file(parts, kVoxels);
    for (std::size_t size = 0; size < file.size(); ++size)
      EXPECT_NE(refusal(file.substr(0, size)).find("[nifti] 'x': "), std::string::npos);
  }
}

TEST(Nifti, BytesBehindTheVoxelsAreCounted) {
  EXPECT_TRUE(contains(parse(nifti_file({}, kVoxels) + "12345").notes, "5 bytes follow the voxels"));
  EXPECT_TRUE(contains(parse(gzip_stored(nifti_file({}, kVoxels) + "12345")).notes, "5 bytes follow the voxels"));
}

TEST(Nifti, ExtentsAreBoundedBeforeMemoryIsAskedFor) {
  NiftiParts parts;
  parts.dim = {3, 32767, 32767, 2, 1, 1, 1, 1};
  EXPECT_EQ(refusal(parts),
            "[nifti] 'x': 32767 × 32767 × 2 × 1 voxels of int16 from byte 352 on are announced, but the file has 376 "
            "bytes: the file is cut short, or its header damaged");
  EXPECT_NE(refusal(gzip_stored(nifti_file(parts, kVoxels))).find("can inflate to at most"), std::string::npos);
  parts.dim = {3, 32767, 32767, 32767, 1, 1, 1, 1};
  EXPECT_NE(refusal(parts).find("32767 × 32767 × 32767: more than 2147483648 voxels"), std::string::npos);
  parts.version = 2;
  parts.dim = {7, 1LL << 62, 4, 1LL << 62, 1LL << 62, 1, 1, 1};
  EXPECT_NE(refusal(parts).find("more than 2147483648 voxels"), std::string::npos);
  parts.dim = {3, 2, 3, 2, 1, 1, 1, 1};
  EXPECT_NE(refusal(nifti_file(parts, kVoxels), {.largest_voxels = 11}).find("more than 11 voxels"), std::string::npos);
}

TEST(Nifti, BrokenHeadersAreRefusedWithTheirReason) {
  const auto with = [](auto change) {
    NiftiParts parts;
    change(parts);
    return refusal(parts);
  };
  EXPECT_EQ(with([](NiftiParts& p) { p.magic = "n+7"; }),
            "[nifti] 'x': the magic of a NIfTI-1 file is 'n+7\\x00': the file is damaged or not NIfTI");
  EXPECT_NE(with([](NiftiParts& p) { p.magic = "ni1"; }).find("pair of .hdr and .img"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.magic = std::string(4, '\0'); }).find("ANALYZE"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.dim[0] = 0; }).find("says 0 dimensions"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.dim[0] = 8; }).find("says 8 dimensions"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.dim[2] = 0; }).find("2 × 0 × 2, none may be under 1"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.dim[1] = -2; }).find("-2 × 3 × 2, none may be under 1"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.datatype = 128; }).find("data type 128 are not read"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.datatype = 32; }).find("data type 32 are not read"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.vox_offset = 348; }).find("begin at byte 348, they can at 352"),
            std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.vox_offset = -1; }).find("begin at byte -1"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.vox_offset = 352.5; }).find("begin at byte 352.5"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.vox_offset = kNan; }).find("begin at byte nan"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.vox_offset = 1e30; }).find("begin at byte 1"), std::string::npos);
  EXPECT_NE(with([](NiftiParts& p) { p.vox_offset = 4096; }).find("the file has 376 bytes"), std::string::npos);
  EXPECT_NE(refusal("DICM is something else").find("does not begin as a NIfTI file does"), std::string::npos);
  EXPECT_NE(refusal("ab").find("the file has 2 bytes"), std::string::npos);
  NiftiParts wrong_bits;
  wrong_bits.bitpix = 8;
  EXPECT_TRUE(contains(parse(nifti_file(wrong_bits, kVoxels)).notes, "8 bits a voxel, but int16 has 16"));
}

TEST(Nifti, LabelMapsAreWholeNumbers) {
  const auto labels = read_nifti_labels(as_bytes(nifti_file({}, kVoxels)), "x");
  EXPECT_EQ(labels.labels, (std::vector<std::int64_t>{-10, -9, -8, -7, -6, 0, 1, 2, 3, 4, 5, 11}));
  EXPECT_EQ(labels.volume.geometry.extents, (Extents3{2, 3, 2}));
  NiftiParts parts;
  parts.datatype = 16;
  parts.bitpix = 32;
  std::vector<float> voxels(12, 7.0f);
  EXPECT_EQ(read_nifti_labels(as_bytes(nifti_file(parts, voxels)), "x").labels, std::vector<std::int64_t>{7});
  for (const float wrong : {0.5f, kNan, INFINITY, 0x1p25f}) {
    voxels[9] = wrong;  // x 1, y 1, z 1
    const auto sentence =
        message_of([&] { read_nifti_labels(as_bytes(nifti_file(parts, voxels)), "x"); }, ErrorKind::data);
    EXPECT_NE(sentence.find("voxel (1, 1, 1) is "), std::string::npos) << sentence;
  }
  parts.dim = {4, 2, 1, 2, 3, 1, 1, 1};
  EXPECT_NE(message_of([&] { read_nifti_labels(as_bytes(nifti_file(parts, voxels)), "x", {.four_d = FourD::split}); },
                       ErrorKind::data)
                .find("3 volumes"),
            std::string::npos);
}

TEST(Nifti, FilesAreToldByContent) {
  const fixtures::ScratchFolder folder;
  const auto judged = [&](const std::string& bytes) {
    fixtures::write_all(folder.file("any.name"), bytes);
    return is_nifti(folder.file("any.name"));
  };
  NiftiParts second;
  second.version = 2;
  EXPECT_TRUE(judged(nifti_file({}, kVoxels)));
  EXPECT_TRUE(judged(nifti_file(second, kVoxels)));
  EXPECT_TRUE(judged(gzip_stored(nifti_file(second, kVoxels))));
  EXPECT_FALSE(judged(""));
  EXPECT_FALSE(judged(nifti_file({}, kVoxels).substr(0, 347)));
  EXPECT_FALSE(judged(gzip_stored(nifti_file({}, kVoxels)).substr(0, 100)));
  EXPECT_FALSE(judged(std::string(400, 'a')));
  NiftiParts analyze;
  analyze.magic = std::string(4, '\0');
  EXPECT_FALSE(judged(nifti_file(analyze, kVoxels)));
}

}  // namespace
}  // namespace strata::io
