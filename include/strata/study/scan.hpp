// SPDX-License-Identifier: Apache-2.0
//
// What ingest knows of a scan before and after its voxels are brought to a profile's grid. ScanTags may identify a
// patient: they serve selection and joining and never leave ingest. StoredScan and StoredStudy are what a shard holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "strata/study/volume.hpp"
#include "strata/tensor/dtype.hpp"

namespace strata::study {

// Header fields of one scan, trimmed, empty (0) where absent.
struct ScanTags {
  std::string patient_id, study_uid, series_uid, accession_number;
  std::string modality;  // "CT", "MR", ...
  std::string study_description, series_description, convolution_kernel, body_part, manufacturer;
  double kvp = 0, slice_thickness = 0, echo_time = 0, repetition_time = 0, b_value = 0;
  int series_number = 0, echo_number = 0, temporal_position = 0;
  std::vector<std::string> instance_uids;  // in slice order
};

// A stored value v stands for v·scale + offset in the scan's own unit (HU) before any window clipped it.
struct IntensityMap {
  double scale = 1, offset = 0;
};

// A scan on its profile's grid.
struct StoredScan {
  std::vector<std::byte> voxels;        // [channels, D, H, W] u8 or i16
  Geometry geometry;                    // of the stored grid: where its voxels lie in the patient
  std::vector<IntensityMap> intensity;  // [channels]
  std::string window;                   // name of the window or map in the profile: "brain", "percentiles"
  std::string modality;
  std::uint64_t description_hash = 0;  // keyed hash of the series description: equal texts, equal hashes
  std::string series;                  // pseudonym
  std::vector<std::string> instances;  // pseudonyms, in slice order of the source
  std::int64_t source_slices = 0,
               missing_slices = 0;  // missing: positions that the spacing promises and no file filled
};

struct StoredStudy {
  std::string key;      // pseudonym of the study, unique in a set
  std::string patient;  // pseudonym
  std::string split;    // "train", "val", "test", or empty
  std::int64_t fold = -1;
  std::vector<std::string> report;  // sentences; none: no report
  std::vector<float> labels;        // by the set's label columns; NaN: not known
  std::vector<StoredScan> scans;
};

// What all scans of a set share.
struct StoredGrid {
  std::int64_t channels = 1;
  Extents3 extents{};
  DType dtype = DType::u8;                  // u8 or i16
  double value_scale = 1, value_shift = 0;  // v·value_scale + value_shift lies in [0, 1]: what a model takes

  std::int64_t scan_bytes() const {
    return channels * extents[0] * extents[1] * extents[2] * static_cast<std::int64_t>(size_of(dtype));
  }
  bool operator==(const StoredGrid&) const = default;
};

}  // namespace strata::study
