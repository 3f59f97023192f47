// SPDX-License-Identifier: Apache-2.0
//
// DICOM in: files of any name and order become slice stacks, one for each volume. Three steps, so that ranks can share
// the work: read_header (one file, its header alone), plan_stacks (all records of one study: which frames make which
// volume, and why the others do not), read_stack (pixels). Nothing here writes DICOM or changes values beyond the
// rescaling that the header asks for; geometry that needs resampling is study::volume_of's.
//
// Encodings: implicit and explicit little endian, big endian, deflated, RLE, JPEG (8 and 12 bit, lossless), JPEG-LS,
// JPEG 2000. CT, MR and PET; one image a file, Enhanced multi-frame (shared and per-frame functional groups), tiled
// mosaics of Siemens and UIH. Hostile files cost no more memory than their own size and one frame, and no more time
// than reading them.
//
// Cost: read_header reads a few tens of kB and takes 0.1 to 1 ms. read_stack holds the f32 volume and one decoded frame
// a time; native pixels go from the file to f32 in one pass. All functions may run in any number of threads after
// register_codecs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/dicom/record.hpp"
#include "strata/study/scan.hpp"
#include "strata/study/volume.hpp"

namespace strata::io::dicom {

// Once a process, before anything else here; a second call does nothing. Also silences DCMTK's log, whose lines quote
// header values. No data dictionary: environment error.
void register_codecs();

// Regular files under `root` (or `root` itself), sorted by path; links are followed, a folder is entered once, and
// devices, pipes and sockets are passed over. Folders that may not be read go to `unreadable`. No such root: data
// error.
std::vector<std::string> list_files(const std::string& root, std::vector<std::string>* unreadable = nullptr);

// Content decides, never the name. Does not throw for what a file holds: a record with its reason is the answer.
FileRecord read_header(const std::string& path);

struct PlanOptions {
  std::int64_t min_slices = 5;
  std::int64_t max_voxels = std::int64_t{1} << 30;  // of one volume: 4 GiB of f32
  // Slices of a stack that may fail to decode and be left out, never two neighbours: more reject the stack.
  double broken_slices = 0.05;
};

// A file, an image of it or a whole stack that is not used, for the report.
struct LeftOut {
  std::string path;
  Reason reason = Reason::none;
  std::string detail;  // without any value that could identify a patient
  std::string study_uid, series_uid;
  std::int64_t images = 1;  // frames or tiles of the file that are meant
};

struct StackSlice {
  std::int32_t file = 0;   // into StackPlan::files
  std::int32_t frame = 0;  // into FileRecord::frames
};

// One volume: what read_stack needs. Slices ascend along row × column, whatever files and instance numbers say.
struct StackPlan {
  study::ScanTags tags;           // of the series; instance_uids in slice order
  std::vector<FileRecord> files;  // those of this stack
  std::vector<StackSlice> slices;
  PlanOptions options;

  const Frame& frame(std::size_t slice) const {
    return files[static_cast<std::size_t>(slices[slice].file)].frames[static_cast<std::size_t>(slices[slice].frame)];
  }
  std::int64_t rows() const { return files.front().rows; }
  std::int64_t columns() const { return files.front().columns; }
};

// Volumes of one study, whatever the order of `records`: by series UID and series number, then stacks of the same
// orientation, matrix, spacing, echo, b-value, temporal position; images that repeat positions are told apart by image
// type, acquisition, trigger time and at last by instance number. A true duplicate (SOP instance UID and geometry) is
// counted once. Every image that no stack uses is in `left_out`, records with a reason included.
std::vector<StackPlan> plan_stacks(std::vector<FileRecord> records, const PlanOptions& options,
                                   std::vector<LeftOut>& left_out);

struct StackRead {
  study::SliceStack stack;
  study::ScanTags tags;           // instance_uids of the slices that stand in the stack
  std::vector<LeftOut> left_out;  // slices that could not be decoded
};

// Decodes, rescales, marks padding. Stored values outside a measurement (PixelPaddingValue) all become stack.padding.
// MONOCHROME1 exchanges bright and dark but where values are a unit (CT). Too many slices that cannot be decoded, or
// files that are gone or changed: data error.
StackRead read_stack(const StackPlan& plan);

}  // namespace strata::io::dicom
