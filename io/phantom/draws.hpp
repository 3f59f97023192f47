// SPDX-License-Identifier: Apache-2.0
//
// A stream of random draws keyed by what it is for. Streams of different keys are independent, so that a phantom's
// anatomy does not change when its report is worded otherwise.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "strata/base/random.hpp"

namespace strata::phantom {

// Values are part of the bytes of every phantom: append only.
enum class Stream : std::uint32_t { patients = 1, head, study, findings, report, files, uids, noise };

// Apart from the purposes of training, which may grow without touching phantoms.
inline constexpr RandomKey key_of(std::uint64_t seed) { return {seed, RandomPurpose{2000}}; }

class Draws {
 public:
  Draws(std::uint64_t seed, Stream stream, std::int64_t ordinal, std::uint32_t part = 0)
      : key_(key_of(seed)),
        counter_{static_cast<std::uint64_t>(ordinal), static_cast<std::uint32_t>(stream), part, 0} {}

  std::uint32_t word() {
    if (used_ == 4) {
      words_ = random_words(key_, counter_);
      ++counter_.block;
      used_ = 0;
    }
    return words_[used_++];
  }
  double uniform() { return static_cast<double>(word()) * 0x1.0p-32; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  float between(double low, double high) { return static_cast<float>(uniform(low, high)); }
  bool chance(double probability) { return uniform() < probability; }
  std::size_t below(std::size_t n) { return random_below(word(), static_cast<std::uint32_t>(n)); }
  int sign() { return (word() & 1u) != 0 ? 1 : -1; }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  template <class Range>
  const auto& pick(const Range& range) {
    return range[below(std::size(range))];
  }
  template <class Range>
  void shuffle(Range& range) {
    for (std::size_t i = std::size(range); i > 1; --i) std::swap(range[i - 1], range[below(i)]);
  }

 private:
  RandomKey key_;
  RandomCounter counter_;
  std::array<std::uint32_t, 4> words_{};
  unsigned used_ = 4;
};

}  // namespace strata::phantom
