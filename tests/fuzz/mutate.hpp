// SPDX-License-Identifier: Apache-2.0
//
// Deterministic damage to files: the same (seed, round) always gives the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "strata/base/random.hpp"

namespace strata::fuzz {

// A stream of small integers out of the counter-based generator.
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t round) : key_{seed, RandomPurpose::test}, round_(round) {}
  std::size_t below(std::size_t n) {
    return random_below(random_word(key_, {round_, 0, 0, 0}, drawn_++), static_cast<std::uint32_t>(n));
  }

 private:
  RandomKey key_;
  std::uint64_t round_;
  std::uint64_t drawn_ = 0;
};

// One to four flips, insertions, deletions, repetitions, truncations.
std::string mutate_bytes(std::string bytes, Dice& dice);

// One to three words of 1, 2, 4 or 8 bytes, at multiples of their size within the first `reach` bytes, replaced by
// values that headers fear: 0, ±1, the ends of every type, NaN and infinity. In native byte order or turned.
std::string mutate_words(std::string bytes, std::size_t reach, Dice& dice);

// One to three edits of a JSON or Python literal: a number or a string for another out of `numbers` and `strings`, a
// piece between two punctuation marks dropped or repeated.
std::string mutate_text(std::string text, std::span<const std::string_view> numbers,
                        std::span<const std::string_view> strings, Dice& dice);

}  // namespace strata::fuzz
