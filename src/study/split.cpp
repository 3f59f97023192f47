// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <unordered_map>

#include "strata/base/error.hpp"
#include "strata/base/random.hpp"
#include "strata/study/records.hpp"

namespace strata::study {
namespace {

void check(const SplitShares& shares) {
  const bool positive = shares.train >= 0 && shares.val >= 0 && shares.test >= 0;
  STRATA_CHECK(
      positive && std::abs(shares.train + shares.val + shares.test - 1) < 1e-6, usage, "split",
      fmt::format("shares of train {}, val {} and test {} do not sum to 1", shares.train, shares.val, shares.test),
      "for example 0.8, 0.1, 0.1");
}

// FNV-1a (Fowler, Noll, Vo): spreads a key over the counter of the generator, which does the mixing.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

class Groups {
 public:
  explicit Groups(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }

  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

struct Group {
  std::string_view key;  // the smallest, so that the order of studies does not matter
  std::vector<std::size_t> studies;
  std::string_view given;
  bool contradicts = false;
};

Groups tie(std::span<const SplitStudy> studies) {
  Groups groups(studies.size());
  std::unordered_map<std::string_view, std::size_t> first;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    bool any = false;
    for (const auto& patient : studies[i].patients) {
      if (patient.empty()) continue;
      any = true;
      const auto [at, added] = first.try_emplace(patient, i);
      if (!added) groups.join(at->second, i);
    }
    STRATA_CHECK(any, usage, "split", fmt::format("study {} has no key of a patient", i),
                 "a study without a patient is a patient of its own: give the study's key");
  }
  return groups;
}

std::map<std::size_t, Group> collect(std::span<const SplitStudy> studies) {
  Groups ties = tie(studies);
  std::map<std::size_t, Group> groups;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    Group& group = groups[ties.root(i)];
    group.studies.push_back(i);
    for (const auto& patient : studies[i].patients)
      if (!patient.empty() && (group.key.empty() || patient < group.key)) group.key = patient;
    const std::string_view given = studies[i].given;
    if (given.empty()) continue;
    STRATA_CHECK(given == "train" || given == "val" || given == "test", usage, "split",
                 "a given split is none of train, val, test");
    group.contradicts = group.contradicts || (!group.given.empty() && group.given != given);
    group.given = given;
  }
  return groups;
}

void fail_contradictions(std::span<const SplitStudy> studies, const std::map<std::size_t, Group>& groups) {
  constexpr std::int64_t kShown = 20;
  std::int64_t count = 0;
  std::string list;
  for (const auto& [root, group] : groups) {
    if (!group.contradicts || ++count > kShown) continue;
    std::string rows;
    for (const std::size_t i : group.studies)
      if (!studies[i].given.empty() && rows.size() < 1000)
        rows += fmt::format("{}{} ({})", rows.empty() ? "" : ", ", studies[i].where, studies[i].given);
    list += fmt::format("{}{}", count > 1 ? "; " : "", rows);
  }
  if (count == 0) return;
  fail(ErrorKind::data, "split",
       fmt::format("{} patient{} in more than one split: {}{}", count, count == 1 ? " stands" : "s stand", list,
                   count > kShown ? "; and more" : ""),
       "all studies of a patient belong into one split: correct the column, or leave it out and have splits drawn");
}

template <class Draw>
std::vector<std::string> assign(std::span<const SplitStudy> studies, const Draw& draw) {
  const auto groups = collect(studies);
  fail_contradictions(studies, groups);
  std::vector<std::string> result(studies.size());
  for (const auto& [root, group] : groups)
    for (const std::size_t i : group.studies) result[i] = group.given.empty() ? draw(group) : group.given;
  return result;
}

}  // namespace

std::string_view split_of(std::string_view patient, const SplitShares& shares) {
  const RandomKey key{shares.seed, RandomPurpose::patient_split};
  const RandomCounter counter{.ordinal = fnv1a(patient), .layer = 0, .part = 0, .block = 0};
  const auto words = philox4x32(counter.words(), key.words());
  const double at = (words[0] * 4294967296.0 + words[1]) / 18446744073709551616.0;
  if (at < shares.train) return "train";
  // Rounding of the sum gives nothing to a split of share zero.
  if (shares.test == 0 || at < shares.train + shares.val) return shares.val > 0 ? "val" : "train";
  return "test";
}

std::vector<std::string> split_by_patient(std::span<const SplitStudy> studies, const SplitShares& shares) {
  check(shares);
  return assign(studies, [&](const Group& group) { return split_of(group.key, shares); });
}

std::vector<std::string> given_splits(std::span<const SplitStudy> studies) {
  return assign(studies, [](const Group&) { return std::string_view(); });
}

}  // namespace strata::study
