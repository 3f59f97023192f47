// SPDX-License-Identifier: Apache-2.0
#include "strata/data/permutation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "strata/base/error.hpp"
#include "strata/base/random.hpp"

namespace strata::data {
namespace {

constexpr int kRounds = 10;
// Networks on a handful of bits reach only few orders; eight bits shuffle well, and the walk to a small n stays short.
constexpr int kLeastBits = 8;
constexpr int kMostBits = 48;

std::uint64_t mask(int bits) { return (std::uint64_t{1} << bits) - 1; }

}  // namespace

Permutation::Permutation(std::int64_t n, std::uint64_t seed, std::int64_t epoch, std::uint32_t stream)
    : n_(n), seed_(seed), epoch_(static_cast<std::uint64_t>(epoch)), stream_(stream) {
  STRATA_CHECK(n >= 1 && n <= std::int64_t{1} << kMostBits, usage, "permutation",
               fmt::format("of {} items: must be 1 to 2^{}", n, kMostBits));
  STRATA_CHECK(stream < 1u << 20, usage, "permutation", fmt::format("stream {} is not below 2^20", stream));
  const int bits = std::max(kLeastBits, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n - 1))));
  low_bits_ = bits / 2;
  high_bits_ = bits - low_bits_;
}

std::uint64_t Permutation::draw(int round, std::uint64_t half) const {
  const RandomCounter counter{.ordinal = epoch_,
                              .layer = static_cast<std::uint32_t>(round),
                              .part = stream_,
                              .block = static_cast<std::uint32_t>(half)};
  return random_words({seed_, RandomPurpose::permutation}, counter)[0];
}

// Each round changes one half by a function of the other, so it undoes itself.
std::uint64_t Permutation::encrypt(std::uint64_t value) const {
  std::uint64_t low = value & mask(low_bits_), high = value >> low_bits_;
  for (int round = 0; round < kRounds; ++round)
    if (round % 2 == 0)
      high ^= draw(round, low) & mask(high_bits_);
    else
      low ^= draw(round, high) & mask(low_bits_);
  return high << low_bits_ | low;
}

std::uint64_t Permutation::decrypt(std::uint64_t value) const {
  std::uint64_t low = value & mask(low_bits_), high = value >> low_bits_;
  for (int round = kRounds - 1; round >= 0; --round)
    if (round % 2 == 0)
      high ^= draw(round, low) & mask(high_bits_);
    else
      low ^= draw(round, high) & mask(low_bits_);
  return high << low_bits_ | low;
}

void Permutation::check(std::int64_t value) const {
  STRATA_CHECK(value >= 0 && value < n_, usage, "permutation", fmt::format("{} is not one of {} items", value, n_));
}

std::int64_t Permutation::operator()(std::int64_t index) const {
  check(index);
  auto value = static_cast<std::uint64_t>(index);
  do value = encrypt(value);
  while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<std::int64_t>(value);
}

std::int64_t Permutation::inverse(std::int64_t item) const {
  check(item);
  auto value = static_cast<std::uint64_t>(item);
  do value = decrypt(value);
  while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<std::int64_t>(value);
}

}  // namespace strata::data
