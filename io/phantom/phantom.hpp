// SPDX-License-Identifier: Apache-2.0
//
// Synthetic head-CT studies as a hospital's archive would hold them: true DICOM files (Explicit VR little endian unless
// asked otherwise) of patients with made-up names, thick and thin axial series, a bone kernel, a scout and a dose page,
// lesions of the kinds that the CQ500 reads list, and a report. What for: learning, teaching and testing without a
// patient's data. When not: as evidence of anything about patients. Cost: see `strata phantom --help`.
//
// A study is a function of (options but `studies`, its index): any rank may write any study, and a larger set begins
// with the smaller one. Studies come in blocks of four that share patients, so a patient has one to three studies.
//
// UIDs are UUIDs under 2.25 (DICOM PS3.5, B.2). Names, birth dates, numbers and addresses are planted in the header,
// a private block included, so that de-identification can be tested; planted_texts() lists them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strata/study/volume.hpp"

namespace strata::phantom {

enum class SeriesKind : std::uint8_t { thick, thin, bone, scout, dose };

struct Options {
  std::uint64_t seed = 1;
  std::int64_t studies = 1;
  int matrix = 128;      // 64 … 1024
  double normal = 0.35;  // share of studies without findings
  // Shares of studies that have such a series; a thick one is in each.
  double thin = 0.25, bone = 0.5, scout = 1, dose = 0.5;
  double tilt = 0.1;        // of studies acquired with a tilted gantry
  double gaps = 0;          // of studies whose thick slices are 2.5 mm apart below and 5 mm above
  double missing = 0;       // of studies whose thick series lacks a slice
  double duplicates = 0;    // of images that a second file repeats under the same instance UID
  double broken = 0;        // of studies that hold a truncated file
  double other_syntax = 0;  // of series in RLE, JPEG lossless, JPEG-LS, implicit VR, big endian or deflated
  double test = 0;          // of blocks of four studies that are held out; 0: the table says nothing of splits
};

void check(const Options& options);  // usage error that names what is out of range

struct Row {
  std::string accession_number{}, study_uid{}, patient_id{};
  std::string split{};                // "train" or "test"; empty where nothing is held out
  std::vector<std::string> report{};  // sentences
  std::vector<int> labels{};          // by label_names()
};

const std::vector<std::string>& label_names();

// What study `index` is, without drawing it: microseconds.
Row describe(const Options& options, std::int64_t index);
// Every text in the study's header that could tell who the patient is.
std::vector<std::string> planted_texts(const Options& options, std::int64_t index);

struct Written {
  std::int64_t series = 0, files = 0, bytes = 0;
};

// Writes the study's files below `folder`/<thousands>/<index>/, under names in no order. What stands there under these
// names is replaced. A full disk and the like: environment error.
Written write_study(const Options& options, std::int64_t index, const std::string& folder);

// The pixels of one axial series as written (noise, rounding), and for each voxel the number of the lesion kind that
// covers it, 0 for none. `kind` must be thick, thin or bone; it need not be among the series that the study has.
struct Drawn {
  study::SliceStack stack{};            // in RAS, HU
  std::vector<std::uint8_t> lesions{};  // [D, height, width]: 1 + the place of the kind in lesion_kinds()
};
Drawn draw_series(const Options& options, std::int64_t index, SeriesKind kind);
const std::vector<std::string>& lesion_kinds();  // "parenchymal", "intraventricular", ...

}  // namespace strata::phantom
