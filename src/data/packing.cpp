// SPDX-License-Identifier: Apache-2.0
#include "strata/data/packing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "strata/base/error.hpp"

namespace strata::data {
namespace {

void check(std::span<const std::int64_t> scans, const PackingRule& rule) {
  STRATA_CHECK(
      rule.tokens_a_scan > 0 && rule.token_budget > 0 && rule.multiple_of > 0, usage, "packing",
      fmt::format("{} tokens a scan, a budget of {} tokens, micro-batches in multiples of {}: all must be positive",
                  rule.tokens_a_scan, rule.token_budget, rule.multiple_of));
  STRATA_CHECK(
      std::isfinite(rule.linear) && std::isfinite(rule.quadratic) && rule.linear >= 0 && rule.quadratic >= 0 &&
          rule.linear + rule.quadratic > 0,
      usage, "packing",
      fmt::format("a cost of {}·T + {}·T²: factors must be positive, one may be 0", rule.linear, rule.quadratic));
  for (std::size_t i = 0; i < scans.size(); ++i)
    STRATA_CHECK(scans[i] > 0, usage, "packing", fmt::format("study {} of the batch has {} scans", i, scans[i]));
}

// Study indexes, the costliest first; equal ones in their order.
std::vector<std::int64_t> costliest_first(std::span<const std::int64_t> scans) {
  std::vector<std::int64_t> order(scans.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, std::greater<>{}, [&](std::int64_t i) { return scans[static_cast<std::size_t>(i)]; });
  return order;
}

// The cheapest micro-batch with room, the first of equals; none: nullptr. One that is empty takes any study.
MicroBatch* cheapest_with_room(std::vector<MicroBatch>& batches, std::int64_t tokens, std::int64_t budget) {
  MicroBatch* best = nullptr;
  for (auto& batch : batches)
    if ((batch.members.empty() || batch.tokens + tokens <= budget) && (best == nullptr || batch.cost < best->cost))
      best = &batch;
  return best;
}

std::optional<std::vector<MicroBatch>> pack_into(std::int64_t count, std::span<const std::int64_t> scans,
                                                 const std::vector<std::int64_t>& order, const PackingRule& rule) {
  std::vector<MicroBatch> batches(static_cast<std::size_t>(count));
  for (const auto i : order) {
    const std::int64_t tokens = scans[static_cast<std::size_t>(i)] * rule.tokens_a_scan;
    MicroBatch* batch = cheapest_with_room(batches, tokens, rule.token_budget);
    if (batch == nullptr) return std::nullopt;
    batch->members.push_back(i);
    batch->tokens += tokens;
    batch->cost += rule.cost(tokens);
  }
  for (auto& batch : batches) std::ranges::sort(batch.members);
  return batches;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::vector<MicroBatch> pack(std::span<const std::int64_t> scans, const PackingRule& rule) {
  check(scans, rule);
  const auto order = costliest_first(scans);
  // A study beyond the budget counts as a full one: it fills a micro-batch alone.
  std::int64_t tokens = 0;
  for (const auto n : scans) tokens += std::min(n * rule.tokens_a_scan, rule.token_budget);
  const std::int64_t least = round_up(tokens, rule.token_budget) / rule.token_budget;
  for (std::int64_t count = round_up(least, rule.multiple_of);; count += rule.multiple_of)
    if (auto batches = pack_into(count, scans, order, rule)) return *std::move(batches);
}

std::vector<std::vector<std::int64_t>> deal(std::span<const MicroBatch> batches, int ranks) {
  STRATA_CHECK(ranks > 0, usage, "packing", fmt::format("{} ranks to deal to", ranks));
  const auto count = static_cast<std::size_t>(ranks);
  const std::size_t rounds = (batches.size() + count - 1) / count;
  std::vector<std::int64_t> order(batches.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, std::greater<>{},
                           [&](std::int64_t i) { return batches[static_cast<std::size_t>(i)].cost; });
  std::vector<std::vector<std::int64_t>> dealt(count);
  std::vector<double> costs(count, 0.0);
  for (const auto i : order) {
    std::size_t to = count;
    for (std::size_t r = 0; r < count; ++r)
      if (dealt[r].size() < rounds && (to == count || costs[r] < costs[to])) to = r;
    dealt[to].push_back(i);
    costs[to] += batches[static_cast<std::size_t>(i)].cost;
  }
  for (auto& mine : dealt) mine.resize(rounds, -1);
  return dealt;
}

}  // namespace strata::data
