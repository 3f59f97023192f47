// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/frames.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "io/dicom/fields.hpp"

namespace strata::io::dicom {
namespace {

using study::Vec3;

constexpr double kFarthest = 1e5;     // mm from the origin of a scanner's coordinates
constexpr double kWidestVoxel = 1e3;  // mm
constexpr double kUnitTolerance = 1e-2, kRounded = 1e-4;

Vec3 in_ras(const Vec3& lps) { return {-lps[0], -lps[1], lps[2]}; }
double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

void scale(Vec3& v, double by) {
  for (double& x : v) x *= by;
}

// Directions with few digits; the others stay as the header says them.
void make_orthonormal(Frame& frame) {
  Vec3 &row = frame.row, &column = frame.column;
  const bool exact = std::abs(dot(row, row) - 1) <= kRounded && std::abs(dot(column, column) - 1) <= kRounded &&
                     std::abs(dot(row, column)) <= kRounded;
  if (exact) return;
  scale(row, 1 / std::sqrt(dot(row, row)));
  const double along = dot(row, column);
  for (std::size_t i = 0; i < 3; ++i) column[i] -= along * row[i];
  scale(column, 1 / std::sqrt(dot(column, column)));
}

// The functional groups of one frame: its own before the shared ones.
struct Groups {
  DcmItem* own = nullptr;
  DcmItem* shared = nullptr;

  DcmItem* find(const DcmTagKey& tag) const {
    for (DcmItem* groups : {own, shared})
      if (groups != nullptr)
        if (DcmItem* group = first_item_of(*groups, tag)) return group;
    return nullptr;
  }
};

bool read_position(DcmItem& item, Frame& frame) {
  const auto position = vector_of(item, DCM_ImagePositionPatient);
  if (position) frame.position = in_ras(*position);
  return position.has_value();
}

bool read_orientation(DcmItem& item, Frame& frame) {
  const auto row = vector_of(item, DCM_ImageOrientationPatient),
             column = vector_of(item, DCM_ImageOrientationPatient, 3);
  if (!row || !column) return false;
  frame.row = in_ras(*row), frame.column = in_ras(*column);
  return true;
}

bool read_spacing(DcmItem& item, Frame& frame) {
  const auto height = number_of(item, DCM_PixelSpacing, 0);
  if (!height) return false;
  frame.spacing_h = *height;
  frame.spacing_w = number_of(item, DCM_PixelSpacing, 1).value_or(*height);
  return true;
}

Verdict read_rescale(DcmItem& item, Frame& frame) {
  frame.slope = number_of(item, DCM_RescaleSlope).value_or(frame.slope);
  frame.intercept = number_of(item, DCM_RescaleIntercept).value_or(frame.intercept);
  if (frame.slope == 0) return {Reason::unsupported_pixels, "rescale slope 0"};
  return {};
}

double b_value_of(DcmItem& item) {
  if (const auto value = number_of(item, DCM_DiffusionBValue)) return *value;
  if (const auto value = private_number(item, 0x0019, "SIEMENS MR HEADER", 0x0c)) return *value;
  if (const auto value = private_number(item, 0x0043, "GEMS_PARM_01", 0x39)) return std::fmod(*value, 1e9);
  if (const auto value = private_number(item, 0x2001, "Philips Imaging DD 001", 0x03)) return *value;
  if (const auto value = private_number(item, 0x0065, "Image Private Header", 0x09)) return *value;
  return 0;
}

Verdict no_position(const char* what) { return {Reason::no_position, what}; }

// What tells frames of one place apart.
void read_groups(const Groups& groups, Frame& frame) {
  if (DcmItem* content = groups.find(DCM_FrameContentSequence)) {
    frame.stack_id = hash_of(text_of(*content, DCM_StackID));
    frame.temporal_position = integer_of(*content, DCM_TemporalPositionIndex);
    frame.acquisition_number = integer_of(*content, DCM_FrameAcquisitionNumber);
  }
  if (DcmItem* echo = groups.find(DCM_MREchoSequence))
    frame.echo_time = number_of(*echo, DCM_EffectiveEchoTime).value_or(0);
  if (DcmItem* diffusion = groups.find(DCM_MRDiffusionSequence))
    frame.b_value = number_of(*diffusion, DCM_DiffusionBValue).value_or(0);
  if (DcmItem* heart = groups.find(DCM_CardiacSynchronizationSequence))
    frame.trigger_time = number_of(*heart, DCM_NominalCardiacTriggerDelayTime).value_or(0);
  for (const DcmTagKey& tag : {DCM_MRImageFrameTypeSequence, DCM_CTImageFrameTypeSequence, DCM_PETFrameTypeSequence})
    if (DcmItem* type = groups.find(tag)) frame.frame_type = hash_of(text_of(*type, DCM_FrameType));
}

Verdict read_enhanced_frame(DcmItem& item, const Groups& groups, Frame& frame) {
  DcmItem* position = groups.find(DCM_PlanePositionSequence);
  if (position == nullptr || !read_position(*position, frame)) return no_position("a frame without position");
  DcmItem* orientation = groups.find(DCM_PlaneOrientationSequence);
  if (orientation == nullptr || !read_orientation(*orientation, frame))
    return no_position("a frame without orientation");
  DcmItem* measures = groups.find(DCM_PixelMeasuresSequence);
  if (measures == nullptr || !read_spacing(*measures, frame)) return no_position("a frame without pixel spacing");
  DcmItem* rescale = groups.find(DCM_PixelValueTransformationSequence);
  if (Verdict verdict = read_rescale(rescale != nullptr ? *rescale : item, frame); verdict.reason != Reason::none)
    return verdict;
  read_groups(groups, frame);
  return settle_plane(frame);
}

void read_shared_tags(const Groups& groups, study::ScanTags& tags) {
  if (DcmItem* measures = groups.find(DCM_PixelMeasuresSequence))
    tags.slice_thickness = number_of(*measures, DCM_SliceThickness).value_or(tags.slice_thickness);
  if (DcmItem* timing = groups.find(DCM_MRTimingAndRelatedParametersSequence))
    tags.repetition_time = number_of(*timing, DCM_RepetitionTime).value_or(tags.repetition_time);
  if (DcmItem* reconstruction = groups.find(DCM_CTReconstructionSequence))
    tags.convolution_kernel = text_of(*reconstruction, DCM_ConvolutionKernel);
  if (DcmItem* details = groups.find(DCM_CTXRayDetailsSequence))
    tags.kvp = number_of(*details, DCM_KVP).value_or(tags.kvp);
  if (DcmItem* anatomy = groups.find(DCM_FrameAnatomySequence); anatomy != nullptr && tags.body_part.empty())
    if (DcmItem* region = first_item_of(*anatomy, DCM_AnatomicRegionSequence))
      tags.body_part = text_of(*region, DCM_CodeMeaning);
}

Verdict read_enhanced(DcmItem& item, DcmItem* shared, DcmSequenceOfItems* frames, FileRecord& record) {
  const std::size_t count = static_cast<std::size_t>(record.pixels.frames);
  if (frames == nullptr ? count != 1 : frames->card() != count)
    return {Reason::bad_geometry,
            fmt::format("{} frames, functional groups of {}", count, frames == nullptr ? 0 : frames->card())};
  DcmObject* next = nullptr;
  for (std::int32_t index = 0; index < record.pixels.frames; ++index) {
    next = frames != nullptr ? frames->nextInContainer(next) : nullptr;
    const Groups groups{static_cast<DcmItem*>(next), shared};
    if (index == 0) read_shared_tags(groups, record.tags);
    Frame frame;
    frame.index = index;
    if (Verdict verdict = read_enhanced_frame(item, groups, frame); verdict.reason != Reason::none) return verdict;
    record.frames.push_back(frame);
  }
  return {};
}

}  // namespace

Verdict settle_plane(Frame& frame) {
  const auto bad = [](const char* what) { return Verdict{Reason::bad_geometry, what}; };
  for (const double x : frame.position)
    if (!(std::abs(x) <= kFarthest)) return bad("a position far outside any scanner");
  for (const Vec3& axis : {frame.row, frame.column})
    if (!(std::abs(std::sqrt(dot(axis, axis)) - 1) <= kUnitTolerance)) return bad("directions are no unit vectors");
  if (!(std::abs(dot(frame.row, frame.column)) <= kUnitTolerance)) return bad("directions are not orthogonal");
  for (const double spacing : {frame.spacing_h, frame.spacing_w})
    if (!(spacing > 0 && spacing <= kWidestVoxel)) return bad("pixel spacing out of range");
  make_orthonormal(frame);
  return {};
}

Verdict read_plane(DcmItem& item, const FileRecord& record, Frame& frame, bool with_position) {
  if (with_position && !read_position(item, frame)) return no_position("no image position");
  if (!read_orientation(item, frame)) return no_position("no image orientation");
  if (!read_spacing(item, frame)) return no_position("no pixel spacing");
  if (Verdict verdict = read_rescale(item, frame); verdict.reason != Reason::none) return verdict;
  frame.echo_time = number_of(item, DCM_EchoTime).value_or(0);
  frame.echo_number = integer_of(item, DCM_EchoNumbers);
  frame.temporal_position = integer_of(item, DCM_TemporalPositionIdentifier);
  frame.trigger_time = number_of(item, DCM_TriggerTime).value_or(0);
  frame.acquisition_number = integer_of(item, DCM_AcquisitionNumber);
  if (record.tags.modality == "MR") frame.b_value = b_value_of(item);
  frame.stack_id = hash_of(text_of(item, DCM_StackID));
  frame.frame_type = hash_of(text_of(item, DCM_ImageType));
  return settle_plane(frame);
}

Verdict read_frames(DcmItem& item, FileRecord& record) {
  record.rows = record.pixels.rows, record.columns = record.pixels.columns;
  DcmItem* shared = first_item_of(item, DCM_SharedFunctionalGroupsSequence);
  DcmSequenceOfItems* frames = sequence_of(item, DCM_PerFrameFunctionalGroupsSequence);
  if (shared != nullptr || frames != nullptr) return read_enhanced(item, shared, frames, record);
  if (record.pixels.frames != 1) return no_position("frames without positions of their own");
  Frame frame;
  if (Verdict verdict = read_plane(item, record, frame, true); verdict.reason != Reason::none) return verdict;
  record.frames.push_back(frame);
  return {};
}

}  // namespace strata::io::dicom
