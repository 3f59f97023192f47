// SPDX-License-Identifier: Apache-2.0
//
// What one DICOM file's header says, as a plain value: parsed on one rank, sent to another as bytes, planned there. It
// holds identifying fields (ScanTags, UIDs), so it stays inside ingest. Positions and directions are RAS+ in mm
// (DICOM's LPS with x and y negated). Sources: DICOM PS3.3 C.7.6.1-3, C.7.6.16 (functional groups), C.8.2, C.8.3;
// PS3.5 8 and Annex A (pixel data and its encodings).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/study/scan.hpp"
#include "strata/study/volume.hpp"

namespace strata::io::dicom {

// Why a file, an image or a stack is no part of any volume.
enum class Reason : std::uint8_t {
  none,  // it is one

  // said by one file's header
  not_dicom,           // neither a DICOM file nor a bare data set
  dicomdir,            // a directory of a medium, no image
  unreadable,          // may not be opened, or its header breaks off in nonsense
  truncated,           // ends before its data do
  unsupported_syntax,  // a transfer syntax that has no decoder here
  unsupported_pixels,  // floating-point or 1-bit pixels, lookup tables for values, contradictory bit fields
  structured_report,   // SR documents but for doses
  dose_report,         // radiation dose: an SR, or a page of text
  secondary_capture,   // screens and scanned pages
  other_object,        // presentation states, waveforms, plans, segmentations, raw data ...
  no_pixels,           // an image object without pixel data
  colour,              // RGB, YBR, palettes
  localizer,           // scouts and planning images
  mosaic,              // tiles whose order or place the header does not tell
  no_position,         // no position or orientation in the patient, or no spacing
  bad_geometry,        // positions or directions that are no numbers, or directions not orthonormal
  derived,             // calculated images that show no plane of the patient (projections, graphs)
  other_modality,      // neither CT nor MR nor PET (ultrasound, X-ray, ...)

  // said by the images of a stack together
  duplicate,          // the same SOP instance again
  repeated_position,  // another image at a position that its volume has already
  not_a_volume,       // images at one position, or frames that do not progress
  too_few_slices,
  too_large,  // more voxels than allowed

  // said by decoding
  broken_pixels,  // pixel data that cannot be decoded, or of another size than announced
};

std::string_view name_of(Reason reason);  // "too_few_slices"

// One image of a file: its frame, or a tile of a mosaic's frame.
struct Frame {
  std::int32_t index = 0;               // frame in the file, from 0
  std::int32_t top = 0, left = 0;       // of the tile in that frame; 0, 0 for whole frames
  study::Vec3 position{};               // centre of the first voxel
  study::Vec3 row{}, column{};          // unit vectors: along a row (columns increase), along a column (rows increase)
  double spacing_h = 0, spacing_w = 0;  // mm between rows, between columns
  double slope = 1, intercept = 0;      // stored value v stands for v·slope + intercept
  double echo_time = 0, b_value = 0, trigger_time = 0;
  std::int32_t echo_number = 0, temporal_position = 0, acquisition_number = 0;
  std::uint64_t stack_id = 0, frame_type = 0;  // hashes of texts: equal texts, equal hashes; 0: none

  bool operator==(const Frame&) const = default;
};

// How stored values lie in the pixel data (PS3.5 8.1).
struct PixelLayout {
  std::int32_t rows = 0, columns = 0, frames = 1;  // of the stored frames, mosaics included
  std::int32_t bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool is_signed = false;
  bool inverted = false;  // MONOCHROME1 where values have no unit of their own: bright and dark are exchanged
  std::optional<std::int32_t> padding, padding_limit;  // stored values from one to the other are no measurement
  bool big_endian = false;
  // Where uncompressed pixels begin: in the file, or behind the inflation of a deflated one. Nothing: compressed.
  std::optional<std::uint64_t> native_offset;

  bool operator==(const PixelLayout&) const = default;
};

struct FileRecord {
  std::string path;
  Reason reason = Reason::none;  // anything else: not an image to read, and why
  std::string detail;            // for people, without any value that could identify a patient

  study::ScanTags tags;  // as far as they could be read, for images that are left out too
  std::string sop_class_uid, sop_instance_uid, transfer_syntax, frame_of_reference_uid;
  std::string image_type;  // "ORIGINAL\\PRIMARY\\AXIAL"
  std::int32_t instance_number = 0;
  std::int32_t rows = 0, columns = 0;  // of an image: a tile's in mosaics
  PixelLayout pixels;
  std::vector<Frame> frames;  // in file order

  bool is_image() const { return reason == Reason::none; }
};

// Bytes for other ranks of the same build, never for files. Bytes of another kind: data error.
std::vector<std::byte> to_bytes(std::span<const FileRecord> records);
std::vector<FileRecord> records_of(std::span<const std::byte> bytes);

}  // namespace strata::io::dicom
