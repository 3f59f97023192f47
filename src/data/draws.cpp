// SPDX-License-Identifier: Apache-2.0
#include "strata/data/draws.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "strata/base/random.hpp"

namespace strata::data {
namespace {

// 0 … count − 1 by the size of one keyed draw each.
std::vector<std::int64_t> by_draw(std::int64_t count, RandomKey key, std::int64_t ordinal) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> draws;
  draws.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    draws.emplace_back(
        random_word(key, {.ordinal = static_cast<std::uint64_t>(ordinal)}, static_cast<std::uint64_t>(i)), i);
  std::ranges::sort(draws);
  std::vector<std::int64_t> order;
  order.reserve(draws.size());
  for (const auto& draw : draws) order.push_back(draw.second);
  return order;
}

}  // namespace

std::vector<std::int64_t> keep_scans(std::int64_t scans, std::int64_t limit, std::uint64_t seed, std::int64_t ordinal) {
  std::vector<std::int64_t> kept(static_cast<std::size_t>(scans));
  std::iota(kept.begin(), kept.end(), std::int64_t{0});
  if (limit <= 0 || scans <= limit) return kept;
  kept = by_draw(scans, {seed, RandomPurpose::scan_subset}, ordinal);
  kept.resize(static_cast<std::size_t>(limit));
  std::ranges::sort(kept);
  return kept;
}

std::vector<std::int64_t> sentence_order(std::int64_t count, std::uint64_t seed, std::int64_t ordinal) {
  return by_draw(count, {seed, RandomPurpose::sentence_order}, ordinal);
}

std::vector<std::int64_t> keep_sentences(std::int64_t count, double rate, std::uint64_t seed, std::int64_t ordinal) {
  const RandomKey key{seed, RandomPurpose::augmentation};
  std::vector<std::int64_t> kept;
  float most = -1;
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float drawn = uniform_float(
        random_word(key, {.ordinal = static_cast<std::uint64_t>(ordinal)}, static_cast<std::uint64_t>(i)));
    if (drawn >= static_cast<float>(rate)) kept.push_back(i);
    if (drawn > most) {
      most = drawn;
      best = i;
    }
  }
  if (kept.empty() && count > 0) kept.push_back(best);
  return kept;
}

}  // namespace strata::data
