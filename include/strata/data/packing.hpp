// SPDX-License-Identifier: Apache-2.0
//
// How a global batch becomes micro-batches, and micro-batches ranks' work. Packing knows nothing of ranks, so the same
// studies stand together on any number of them; dealing then balances ranks by cost. Both are deterministic: every rank
// computes the same plan and nothing is sent. Costs O(G·m) for G studies in m micro-batches: microseconds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::data {

// A study of T tokens costs linear·T + quadratic·T². Defaults, in units of one token: the FLOPs of a ViT-B with 12
// blocks of width C = 768, of which 4 attend within the study: 4·4·C·T² against 12·24·C²·T, so 1 / (18·C). Attention
// within slices or scans is linear in their number.
struct PackingRule {
  std::int64_t tokens_a_scan = 1;
  std::int64_t token_budget = 1;  // of a micro-batch; a study with more than that has one of its own
  double linear = 1, quadratic = 1.0 / (18 * 768);
  std::int64_t multiple_of = 1;  // micro-batches a step are a multiple of it (with empty ones if studies are too few)

  double cost(std::int64_t tokens) const {
    const auto t = static_cast<double>(tokens);
    return linear * t + quadratic * t * t;
  }
};

struct MicroBatch {
  std::vector<std::int64_t> members;  // indexes into the global batch, ascending
  std::int64_t tokens = 0;
  double cost = 0;
};

// Each study, the costliest first, goes to the cheapest micro-batch with room; of these there are as few as that rule
// can fill within the budget. `scans` [G] scans of each study. Usage error for rules or counts that are not positive.
std::vector<MicroBatch> pack(std::span<const std::int64_t> scans, const PackingRule& rule);

// Which micro-batches each rank runs: [ranks][rounds], -1 for an empty one. All ranks have the same number of rounds,
// ceil(m / ranks), and the costliest come first, so that what runs at the same time costs about the same.
std::vector<std::vector<std::int64_t>> deal(std::span<const MicroBatch> batches, int ranks);

}  // namespace strata::data
