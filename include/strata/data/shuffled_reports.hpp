// SPDX-License-Identifier: Apache-2.0
//
// A source whose studies carry each other's reports: a control. What a model learns of images from such pairs is
// nothing, so a score far from chance on it says that something leaks. Labels, voxels and splits stay as they are.
#pragma once

#include <memory>

#include "strata/data/study_source.hpp"

namespace strata::data {

// Reports move along one cycle through all studies, drawn by the seed: nobody keeps their own (but for a single study).
std::shared_ptr<const StudySource> with_shuffled_reports(std::shared_ptr<const StudySource> source, std::uint64_t seed);

}  // namespace strata::data
