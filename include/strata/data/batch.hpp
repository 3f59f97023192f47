// SPDX-License-Identifier: Apache-2.0
//
// A micro-batch as a loader hands it over: whole studies, packed, in host memory, voxels in the type they are stored
// in. A value; its voxels lie in a buffer of the loader's, which returns to it with the last handle of `scans`, so drop
// a batch when it is on the device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strata/tensor/tensor.hpp"

namespace strata::data {

struct Batch {
  std::int64_t step = 0;
  std::int64_t round = 0, rounds = 1;  // every rank runs the same number of rounds a step
  std::int64_t micro_batch = -1;       // its number in the step's plan, the same on any number of ranks; -1: empty
  std::int64_t micro_batches = 0;      // of the step, on all ranks
  std::int64_t step_studies = 0;       // of the step, on all ranks: what a mean divides by

  Tensor scans;                                   // [S, channels, D, H, W] u8 or i16
  std::vector<std::int64_t> study_offsets{0};     // [B+1]
  std::vector<std::int64_t> scan_indexes;         // [S] which scan of its study each is
  std::vector<std::int64_t> ordinals;             // [B] positions in the order: what random numbers are keyed by
  std::vector<std::int64_t> members;              // [B] places in the global batch: ordinal − step·G
  std::vector<std::int64_t> sets;                 // [B] index of each study's set in the mixture
  std::vector<std::string> keys;                  // [B] pseudonyms, unique in their set
  std::vector<std::vector<std::string>> reports;  // [B] sentences in drawn order
  std::vector<float> labels;                      // [B, L] by the mixture's label columns; NaN: not known
  double scale = 1, shift = 0;                    // a stored value v stands for v·scale + shift in [0, 1]

  std::int64_t studies() const { return static_cast<std::int64_t>(study_offsets.size()) - 1; }
  bool empty() const { return studies() == 0; }
  bool last_of_step() const { return round + 1 == rounds; }
};

}  // namespace strata::data
