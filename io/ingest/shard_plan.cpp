// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/shard_plan.hpp"

#include <algorithm>
#include <numeric>

namespace strata::ingest {

std::vector<ShardRange> cut_into_shards(std::span<const PlannedStudy> studies, std::int64_t bytes) {
  std::vector<ShardRange> shards;
  std::int64_t held = 0;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    if (shards.empty() || held + studies[i].stored_bytes > bytes) {
      shards.push_back({i, i});
      held = 0;
    }
    held += studies[i].stored_bytes;
    shards.back().end = i + 1;
  }
  return shards;
}

std::vector<int> deal(std::span<const PlannedStudy> studies, int ranks) {
  std::vector<std::size_t> order(studies.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return studies[a].work > studies[b].work; });
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks), 0);
  std::vector<int> rank_of(studies.size());
  for (const std::size_t i : order) {
    const auto least = std::ranges::min_element(load);
    *least += std::max<std::int64_t>(1, studies[i].work);
    rank_of[i] = static_cast<int>(least - load.begin());
  }
  return rank_of;
}

}  // namespace strata::ingest
