// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "io/dicom/classify.hpp"
#include "io/dicom/dicom.hpp"
#include "io/dicom/fields.hpp"
#include "io/dicom/frames.hpp"
#include "io/dicom/parse.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io::dicom {
namespace {

constexpr std::uint32_t kUndefinedLength = 0xffffffff;
constexpr std::uint64_t kMostCompression = 65536;  // a large black image in JPEG 2000 comes to a third of it

void read_tags(DcmItem& item, FileRecord& record) {
  study::ScanTags& tags = record.tags;
  tags.patient_id = text_of(item, DCM_PatientID);
  tags.study_uid = text_of(item, DCM_StudyInstanceUID);
  tags.series_uid = text_of(item, DCM_SeriesInstanceUID);
  tags.accession_number = text_of(item, DCM_AccessionNumber);
  tags.modality = text_of(item, DCM_Modality);
  tags.study_description = text_of(item, DCM_StudyDescription);
  tags.series_description = text_of(item, DCM_SeriesDescription);
  tags.convolution_kernel = text_of(item, DCM_ConvolutionKernel);
  tags.body_part = text_of(item, DCM_BodyPartExamined);
  tags.manufacturer = text_of(item, DCM_Manufacturer);
  tags.kvp = number_of(item, DCM_KVP).value_or(0);
  tags.slice_thickness = number_of(item, DCM_SliceThickness).value_or(0);
  tags.repetition_time = number_of(item, DCM_RepetitionTime).value_or(0);
  tags.series_number = integer_of(item, DCM_SeriesNumber);
  record.sop_class_uid = text_of(item, DCM_SOPClassUID);
  record.sop_instance_uid = text_of(item, DCM_SOPInstanceUID);
  record.frame_of_reference_uid = text_of(item, DCM_FrameOfReferenceUID);
  record.image_type = text_of(item, DCM_ImageType);
  record.instance_number = integer_of(item, DCM_InstanceNumber);
  tags.instance_uids = {record.sop_instance_uid};
}

Verdict truncated(std::uint64_t announced, std::uint64_t there) {
  return {Reason::truncated, fmt::format("{} bytes of pixel data are needed, the file has {}", announced, there)};
}

// Native pixels must all be in the file; an encapsulated frame takes at least the 8 bytes of its item.
Verdict judge_extent(const Parsed& parsed, std::uint64_t file_size, PixelLayout& pixels) {
  const std::uint64_t there = file_size - parsed.pixels->offset;
  if (pixels.frames < 1) return {Reason::unsupported_pixels, fmt::format("{} frames", pixels.frames)};
  const auto frames = static_cast<std::uint64_t>(pixels.frames);
  const std::uint64_t needed = frames * static_cast<std::uint64_t>(pixels.rows) *
                               static_cast<std::uint64_t>(pixels.columns) *
                               static_cast<std::uint64_t>(pixels.bits_allocated / 8);
  const DcmXfer xfer(parsed.syntax);
  if (xfer.isEncapsulated() || parsed.pixels->length == kUndefinedLength) {
    if (!xfer.isEncapsulated()) return {Reason::unreadable, "encapsulated pixels in a syntax that has none"};
    const std::uint64_t least = std::max(8 * frames, needed / kMostCompression);
    return least > there ? truncated(least, there) : Verdict{};
  }
  pixels.native_offset = parsed.pixels->offset;
  pixels.big_endian = xfer.getPixelDataByteOrder() == EBO_BigEndian;
  const std::uint64_t held = std::min<std::uint64_t>(parsed.pixels->length, there);
  return needed > held ? truncated(needed, held) : Verdict{};
}

// The first reason that keeps these from being images, in the order a person would ask.
Verdict judge(const Parsed& parsed, std::uint64_t file_size, DcmItem& item, FileRecord& record) {
  const auto keeps = [](const Verdict& verdict) { return verdict.reason == Reason::none; };
  const std::string& modality = record.tags.modality;
  if (Verdict verdict = judge_class(record.sop_class_uid, modality); !keeps(verdict)) return verdict;
  if (!parsed.pixels) return {Reason::no_pixels, "there is no pixel data"};
  if (Verdict verdict = judge_syntax(parsed.syntax, record.transfer_syntax); !keeps(verdict)) return verdict;
  if (Verdict verdict = judge_kind(record.image_type, record.tags); !keeps(verdict)) return verdict;
  if (Verdict verdict = judge_pixels(item, modality, record.pixels); !keeps(verdict)) return verdict;
  if (Verdict verdict = judge_extent(parsed, file_size, record.pixels); !keeps(verdict)) return verdict;
  Verdict verdict = is_mosaic(item, record) ? read_mosaic(item, record) : read_frames(item, record);
  if (verdict.reason == Reason::no_position && record.image_type.starts_with("DERIVED"))
    verdict.reason = Reason::derived;
  return verdict;
}

void settle(FileRecord& record, Reason reason, std::string detail) {
  record.reason = reason;
  record.detail = std::move(detail);
  if (reason != Reason::none) record.frames.clear();
}

void read(const std::string& path, FileRecord& record) {
  const DicomBytes bytes(path);
  Parsed parsed;
  parse_header(bytes, parsed);
  DcmDataset& item = *parsed.file.getDataset();
  record.transfer_syntax = DcmXfer(parsed.syntax).getXferID();
  if (bytes.deflated()) record.transfer_syntax = UID_DeflatedExplicitVRLittleEndianTransferSyntax;
  if (text_of(*parsed.file.getMetaInfo(), DCM_MediaStorageSOPClassUID) == UID_MediaStorageDirectoryStorage)
    return settle(record, Reason::dicomdir, "a directory of a medium");
  read_tags(item, record);
  if (parsed.reason != Reason::none) return settle(record, parsed.reason, parsed.detail);
  if (record.sop_class_uid.empty() && record.tags.study_uid.empty() && !parsed.pixels)
    return settle(record, Reason::other_object, "neither an object class nor a study nor pixels");
  Verdict verdict = judge(parsed, bytes.file().size(), item, record);
  settle(record, verdict.reason, std::move(verdict.detail));
  if (!record.is_image()) return;
  const Frame& first = record.frames.front();
  record.tags.echo_time = first.echo_time, record.tags.echo_number = first.echo_number;
  record.tags.b_value = first.b_value, record.tags.temporal_position = first.temporal_position;
}

}  // namespace

FileRecord read_header(const std::string& path) {
  FileRecord record;
  record.path = path;
  try {
    read(path, record);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    settle(record, Reason::unreadable, error.kind() == ErrorKind::environment ? "may not be opened" : "cannot be read");
  } catch (const std::exception&) {  // DCMTK lets those of its strings through
    settle(record, Reason::unreadable, "the header cannot be parsed");
  }
  return record;
}

}  // namespace strata::io::dicom
