// SPDX-License-Identifier: Apache-2.0
#include "strata/data/mixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "strata/base/error.hpp"
#include "strata/base/random.hpp"
#include "strata/base/text.hpp"
#include "strata/data/permutation.hpp"

namespace strata::data {
namespace {

constexpr std::int64_t kMostParts = std::int64_t{1} << 31;  // squared it still fits 64 bits
constexpr double kResolution = 1e6;

std::string describe(const study::StoredGrid& grid) {
  return fmt::format("{} channels of {}x{}x{} {} (values v·{:g} + {:g})", grid.channels, grid.extents[0],
                     grid.extents[1], grid.extents[2], name_of(grid.dtype), grid.value_scale, grid.value_shift);
}

void check_weights(const std::vector<double>& weights) {
  const auto zeros = std::ranges::count(weights, 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i)
    STRATA_CHECK(std::isfinite(weights[i]) && weights[i] >= 0, usage, "mixture",
                 fmt::format("set {} has weight {}: weights are positive numbers", i, weights[i]));
  STRATA_CHECK(zeros == 0 || zeros == static_cast<std::ptrdiff_t>(weights.size()), usage, "mixture",
               fmt::format("{} of {} sets have no weight", zeros, weights.size()),
               "give every set one, or none for shares by the number of studies");
}

// Shares as whole numbers. A set with any weight keeps at least one part: none starves.
std::vector<std::int64_t> whole_parts(const std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const bool whole = std::ranges::all_of(weights, [](double w) { return w == std::floor(w); });
  const double scale = whole && sum <= static_cast<double>(kMostParts) ? 1 : kResolution / sum;
  std::vector<std::int64_t> parts;
  std::int64_t divisor = 0;
  for (const double weight : weights) {
    parts.push_back(std::max<std::int64_t>(1, std::llround(weight * scale)));
    divisor = std::gcd(divisor, parts.back());
  }
  for (auto& part : parts) part /= divisor;
  return parts;
}

// floor((position · part + phase) / whole) without leaving 64 bits.
std::int64_t turns_before(std::int64_t position, std::int64_t part, std::int64_t phase, std::int64_t whole) {
  return position / whole * part + (position % whole * part + phase) / whole;
}

}  // namespace

Mixture::Mixture(std::vector<WeightedSet> sets, std::uint64_t seed, StudyOrder order)
    : sets_(std::move(sets)), seed_(seed), order_(order) {
  judge_sets();
  join_labels();
  std::vector<double> weights;
  for (const auto& set : sets_) weights.push_back(set.weight);
  check_weights(weights);
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    studies_ += sets_[i].source->studies();
    if (weights[i] == 0) weights[i] = static_cast<double>(sets_[i].source->studies());
  }
  parts_ = whole_parts(weights);
  std::int64_t rest = std::accumulate(parts_.begin(), parts_.end(), std::int64_t{0});
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const auto word = random_word({seed_, RandomPurpose::mixture}, {}, i);
    phases_.push_back(random_below(word, static_cast<std::uint32_t>(rest)));
    rest -= parts_[i];
  }
}

void Mixture::judge_sets() const {
  STRATA_CHECK(!sets_.empty(), usage, "mixture", "no sets to take studies from");
  const StudySource& first = *sets_.front().source;
  for (const auto& set : sets_) {
    const StudySource& source = *set.source;
    STRATA_CHECK(source.grid() == first.grid(), data, "mixture",
                 fmt::format("sets differ: {} holds {}, {} holds {}", printable(first.name()), describe(first.grid()),
                             printable(source.name()), describe(source.grid())),
                 "ingest them with one profile");
    STRATA_CHECK(source.studies() > 0, data, "mixture", fmt::format("{} holds no studies", printable(source.name())));
    for (std::int64_t i = 0; i < source.studies(); ++i)
      STRATA_CHECK(source.scans(i) > 0, data, "mixture",
                   fmt::format("study {} of {} has no scans", printable(source.key(i)), printable(source.name())),
                   "leave it out by a selection of at least one scan");
  }
}

void Mixture::join_labels() {
  for (const auto& set : sets_) {
    auto& columns = label_column_.emplace_back();
    for (const auto& name : set.source->label_names()) {
      const auto at = std::ranges::find(label_names_, name);
      columns.push_back(at - label_names_.begin());
      if (at == label_names_.end()) label_names_.push_back(name);
    }
  }
}

void Mixture::labels(const StudyRef& ref, std::span<float> into) const {
  std::ranges::fill(into, std::numeric_limits<float>::quiet_NaN());
  const auto values = source(ref.set).labels(ref.study);
  const auto& columns = label_column_[static_cast<std::size_t>(ref.set)];
  for (std::size_t i = 0; i < std::min(values.size(), columns.size()); ++i)
    into[static_cast<std::size_t>(columns[i])] = values[i];
}

// Set by set: does it take this position, or is it one of the rest's, counted among themselves? Each answer is a
// Bresenham line, so counts need no walk through earlier positions.
Mixture::Turn Mixture::turn(std::int64_t position) const {
  std::int64_t rest = std::accumulate(parts_.begin(), parts_.end(), std::int64_t{0});
  for (std::size_t i = 0; i + 1 < parts_.size(); ++i) {
    const std::int64_t before = turns_before(position, parts_[i], phases_[i], rest);
    if (turns_before(position + 1, parts_[i], phases_[i], rest) > before) return {static_cast<std::int64_t>(i), before};
    position -= before;
    rest -= parts_[i];
  }
  return {set_count() - 1, position};
}

StudyRef Mixture::at(std::int64_t position) const {
  STRATA_CHECK(position >= 0, usage, "mixture", fmt::format("position {} is negative", position));
  if (order_ == StudyOrder::sequential) {
    STRATA_CHECK(position < studies_, usage, "mixture",
                 fmt::format("position {} of {} studies in sequence", position, studies_));
    std::int64_t set = 0;
    for (; position >= source(set).studies(); ++set) position -= source(set).studies();
    return {set, position, 0};
  }
  const Turn mine = turn(position);
  const std::int64_t n = source(mine.set).studies();
  const std::int64_t epoch = mine.count / n;
  const Permutation permutation(n, seed_, epoch, static_cast<std::uint32_t>(mine.set));
  return {mine.set, permutation(mine.count % n), epoch};
}

}  // namespace strata::data
