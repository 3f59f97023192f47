// SPDX-License-Identifier: Apache-2.0
//
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A number is a pure function of (seed, purpose, sample ordinal, layer, part, element), so it does not depend on the
// number of ranks or threads, on the order of evaluation, or on what was drawn before. Header-only and free of
// dependencies, so kernels of every backend can share it.
#pragma once

#include <array>
#include <cstdint>

namespace strata {

// What a number is for: two purposes never share a stream. Values are part of the numeric contract (a resumed run must
// draw the same): append only.
enum class RandomPurpose : std::uint32_t {
  initialisation = 1,
  scan_positions = 2,  // which rows of the sequential table a study's scans take
  scan_subset = 3,     // which scans of a study stay when it has too many
  patch_dropout = 4,
  drop_path = 5,
  dropout = 6,
  augmentation = 7,
  permutation = 8,
  sentence_order = 9,  // of a study's report
  mixture = 10,        // where the sequence of sets begins
  patient_split = 11,  // train, val or test
  bootstrap = 12,      // studies of a resample
  rounding = 13,       // stochastic, of bf16 compute copies
  test = 1000,
};

// Key of a stream. 64 bits of key = mix(seed, purpose).
struct RandomKey {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::test;
  bool operator==(const RandomKey&) const = default;

  std::array<std::uint32_t, 2> words() const {
    std::uint64_t z = seed + 0x9e3779b97f4a7c15ull * (static_cast<std::uint64_t>(purpose) + 1);  // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    return {static_cast<std::uint32_t>(z), static_cast<std::uint32_t>(z >> 32)};
  }
};

// Where in a stream. `ordinal` = epoch · n + index of the sample; `layer` < 4096; `part` (scan or slice within the
// sample) < 2^20; `block` counts groups of four numbers.
struct RandomCounter {
  std::uint64_t ordinal = 0;
  std::uint32_t layer = 0;
  std::uint32_t part = 0;
  std::uint32_t block = 0;

  std::array<std::uint32_t, 4> words() const {
    return {block, (layer << 20) | (part & 0xfffffu), static_cast<std::uint32_t>(ordinal),
            static_cast<std::uint32_t>(ordinal >> 32)};
  }
};

inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
  }
  return c;
}

inline std::array<std::uint32_t, 4> random_words(const RandomKey& key, const RandomCounter& counter) {
  return philox4x32(counter.words(), key.words());
}

// Uniform in [0, 1) with 24 bits: exact in float, so every backend compares the same value with a rate.
inline float uniform_float(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1.0p-24f; }

// Uniform in (0, 1) with 53 bits out of two words, never 0 nor 1: for inverse distribution functions.
inline double uniform_open(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = ((static_cast<std::uint64_t>(high) << 32) | low) >> 12;  // 52 bits
  return (static_cast<double>(bits) + 0.5) * 0x1.0p-52;
}

// The element's own word out of a stream: word (element mod 4) of block (element / 4).
inline std::uint32_t random_word(const RandomKey& key, RandomCounter counter, std::uint64_t element) {
  counter.block = static_cast<std::uint32_t>(element >> 2);
  return random_words(key, counter)[element & 3u];
}

// Unbiased enough integer in [0, n), n < 2^32, from one word (multiply-shift).
inline std::uint32_t random_below(std::uint32_t word, std::uint32_t n) {
  return static_cast<std::uint32_t>((std::uint64_t{word} * n) >> 32);
}

}  // namespace strata
