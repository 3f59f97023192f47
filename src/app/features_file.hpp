// SPDX-License-Identifier: Apache-2.0
//
// Embeddings of studies as an HDF5 file for h5py and the like (docs/hand_over.md describes it):
//
//   keys [n] texts; set [n] i64, an index into set_names; set_names, set_profiles [sets] texts
//   embeddings [n, C] f32, or [n, e, C] of a head with e embeddings a study; text_embeddings the same, where asked for
//   label_names [L] texts, labels [n, L] f32, NaN: not known; absent without labels
//   attributes of /: schema 1, normalised 0 or 1, studies, and where it came from: texts and whole numbers
//
// Written whole or not at all. The bytes follow from the contents alone. Memory: one more copy of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "strata/engine/encode.hpp"

namespace strata::app {

inline constexpr std::int64_t kFeaturesSchema = 1;

struct FeatureSet {
  std::string name, profile;
};

struct FeaturesOrigin {
  std::map<std::string, std::string> texts;
  std::map<std::string, std::int64_t> numbers;
};

// Each vector to unit length, one without length stays.
void normalise_rows(const Tensor& rows);

void write_features(const std::string& path, const engine::EncodedStudies& studies, const std::vector<FeatureSet>& sets,
                    bool normalised, const FeaturesOrigin& origin);

}  // namespace strata::app
