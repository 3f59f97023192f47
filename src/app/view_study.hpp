// SPDX-License-Identifier: Apache-2.0
//
// What `strata view` shows, wherever it comes from: the scans of one study as measured (DICOM, NIfTI) or as stored
// (shards). Titles and captions hold nothing that names a patient.
#pragma once

#include <string>
#include <vector>

#include "strata/study/volume.hpp"

namespace strata::app {

struct ViewWindow {
  std::string name;
  double centre = 40, width = 80;
};

struct ViewScan {
  study::Geometry geometry{};          // steps[0]: from the first slice towards the last
  std::vector<study::Vec3> origins{};  // [D], where slices are not even; else empty
  std::vector<float> voxels{};         // [D, H, W]
  std::string caption{};
  std::vector<ViewWindow> shown{};  // if nothing else is asked for
};

struct ViewStudy {
  std::string title{};
  std::vector<ViewScan> scans{};
  std::vector<std::string> notes{};  // for the terminal: what was left out
};

// `which`: a number (from 0, in the order of paths), a study UID or an accession number; empty: the first. No such
// study, or no volume in it: data error.
ViewStudy view_dicom(const std::string& path, const std::string& which);
ViewStudy view_nifti(const std::string& path);
// `which`: a number or a key. `as_stored`: the window of the shard, values in [0, 1]; else values in the scan's unit.
ViewStudy view_shards(const std::string& path, const std::string& which, bool as_stored);

// The window that holds all but the lowest and the highest half per cent of the voxels.
ViewWindow percentile_window(const ViewScan& scan);

// A study's number out of "12"; nothing if it is no number.
bool is_number(const std::string& text);

}  // namespace strata::app
