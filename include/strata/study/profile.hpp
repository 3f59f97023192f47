// SPDX-License-Identifier: Apache-2.0
//
// An ingest profile: the ordered steps that bring any volume to one grid and one integer type, by name from
// configs/data. A profile is a value: equal canonical texts are equal profiles, and a shard keeps the text. Each step
// is a struct with a function of its own (geometry.hpp, resample.hpp, crop.hpp, intensity.hpp); apply() gives what
// these functions give one after the other, to rounding, in fewer passes: consecutive geometric steps are multiplied
// into one band matrix an axis, windows are applied while voxels are read, and the result is rounded as it is written.
//
//   name: brain_mri
//   voxels: u8                # or i16
//   steps:
//     - own_plane: {axes: IPR}
//     - percentiles: {low: 0.5, high: 99.5}
//     - pad_square: {}
//     - resize: {extents: [48, 256, 256], filter: [nearest, linear, linear]}
//     - crop: {extents: [0, 224, 224]}
//
// Exactly one step maps intensities (windows or percentiles), and the steps must end on a fixed grid.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "strata/study/crop.hpp"
#include "strata/study/geometry.hpp"
#include "strata/study/intensity.hpp"
#include "strata/study/resample.hpp"
#include "strata/study/scan.hpp"

namespace strata::config {
class Node;
}

namespace strata::study {

using Step =
    std::variant<Orient, OwnPlane, Spacing, Resize, CropForeground, PadSquare, Pad, Crop, Windows, Percentiles>;
std::string_view name_of(const Step& step);  // as in a profile's text: "own_plane"

struct Profile {
  std::string name;
  std::vector<std::string> modalities;  // that it is meant for ("MR"); empty: any
  DType voxels = DType::u8;             // u8 or i16
  std::vector<Step> steps;
  bool operator==(const Profile&) const = default;
};

// Errors name the place in the file; an unknown step or key comes with the nearest name.
Profile parse_profile(const config::Node& node);
Profile parse_profile(std::string_view text, std::string_view where = "profile");

// Canonical YAML: parse_profile(text_of(p)) == p, whatever way p was written.
std::string text_of(const Profile& profile);

// What every scan of the profile has in common. Usage errors: steps that cannot work or do not end on a fixed grid.
StoredGrid grid_of(const Profile& profile);

// Filled: voxels, geometry, intensity, window, modality, source and missing slices. The caller adds what identifies the
// scan (series, instances, description_hash). Values are finite (readers see to it, unmeasured.hpp); what is made of
// NaN is stored as 0. Data errors: an empty foreground, a broken volume.
std::vector<StoredScan> apply(const Profile& profile, const StackedVolume& source, const ScanTags& tags);
std::vector<StoredScan> apply(const Profile& profile, const Volume& volume, const ScanTags& tags);

}  // namespace strata::study
