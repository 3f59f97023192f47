// SPDX-License-Identifier: Apache-2.0
//
// Mean and deviation of every voxel's place over training studies, for towers with standardise_voxels.
#pragma once

#include "strata/comm/communicator.hpp"
#include "strata/data/loader.hpp"
#include "strata/models/hierarchical_vit3d.hpp"

namespace strata::engine {

// A place whose values hardly differ (air beside the head) is divided by this at least; of a value in [0, 1].
inline constexpr double kLeastVoxelDeviation = 0.05;

// Collective. Reads the loader's first steps, as many as hold `studies` (fewer: an epoch), and puts the loader back to
// where it was. With u the value in [0, 1] that a stored voxel stands for, the tower's buffers then make
// (u − mean) / (deviation + kLeastVoxelDeviation) of it. Sums are of integers: the same to the bit on any number of
// ranks. A tower without the buffers, a grid that is not theirs: usage error.
void measure_voxels(Context& ctx, models::HierarchicalVit3d& tower, data::Loader& loader, comm::Communicator& group,
                    std::int64_t studies);

}  // namespace strata::engine
