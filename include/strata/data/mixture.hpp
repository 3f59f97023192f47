// SPDX-License-Identifier: Apache-2.0
//
// The order in which training sees the studies of one or several sets: position -> (set, study), a pure function of the
// seed, without tables, for positions 0, 1, 2, … for ever. Sets take turns as evenly as their weights allow: among any
// W consecutive positions (W the sum of the weights as whole numbers) a set of weight w stands exactly w times. Within
// a set the turns walk its own keyed permutation, a new one each time the set is through: every study of a set is seen
// once before one is seen twice. Costs about a microsecond.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "strata/data/study_source.hpp"

namespace strata::data {

struct WeightedSet {
  std::shared_ptr<const StudySource> source;
  double weight = 0;  // share of the positions, relative to the others'; all 0: as many as the sets have studies
};

enum class StudyOrder : std::uint8_t {
  shuffled,    // for ever
  sequential,  // each study once, set after set, weights ignored: evaluation
};

// Where a position leads.
struct StudyRef {
  std::int64_t set = 0;    // index in the mixture's sets
  std::int64_t study = 0;  // index in the set's source
  std::int64_t epoch = 0;  // how often the set was through before
  bool operator==(const StudyRef&) const = default;
};

class Mixture {
 public:
  // Usage error without sets, for weights that are not finite and positive, or for some zero and some not; data error
  // for a set without studies, a study without scans, or sets whose grids or types differ (said with both).
  Mixture(std::vector<WeightedSet> sets, std::uint64_t seed, StudyOrder order);

  StudyRef at(std::int64_t position) const;

  std::int64_t studies() const { return studies_; }  // of all sets: what an epoch means, n
  std::int64_t epoch(std::int64_t position) const { return position / studies_; }
  std::int64_t set_count() const { return static_cast<std::int64_t>(sets_.size()); }
  const StudySource& source(std::int64_t set) const { return *sets_[static_cast<std::size_t>(set)].source; }
  // Weights as whole numbers without a common factor; those that were not whole are rounded to millionths of the sum.
  const std::vector<std::int64_t>& parts() const { return parts_; }
  const study::StoredGrid& grid() const { return sets_.front().source->grid(); }
  StudyOrder order() const { return order_; }
  std::uint64_t seed() const { return seed_; }

  // Label columns of all sets, in order of first appearance, and a study's values by them (NaN where its set has not).
  const std::vector<std::string>& label_names() const { return label_names_; }
  void labels(const StudyRef& ref, std::span<float> into) const;

 private:
  struct Turn {
    std::int64_t set, count;  // the set's `count`-th turn, from 0
  };
  void judge_sets() const;
  void join_labels();
  Turn turn(std::int64_t position) const;

  std::vector<WeightedSet> sets_;
  std::uint64_t seed_;
  StudyOrder order_;
  std::int64_t studies_ = 0;
  std::vector<std::int64_t> parts_;                      // [sets]
  std::vector<std::int64_t> phases_;                     // [sets] where each set's turns begin
  std::vector<std::string> label_names_;                 // [L]
  std::vector<std::vector<std::int64_t>> label_column_;  // [sets][its labels] column among all
};

}  // namespace strata::data
