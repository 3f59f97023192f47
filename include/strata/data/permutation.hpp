// SPDX-License-Identifier: Apache-2.0
//
// A shuffled order of n items without a table: a keyed bijection of [0, n) that is evaluated one index at a time, so
// any rank finds any position of any epoch at once. A Feistel network over Philox words (Black and Rogaway, "Ciphers
// with arbitrary finite domains", CT-RSA 2002), walked along its cycle until it falls below n. Not cryptography. About
// 0.5 µs a value, no memory.
#pragma once

#include <cstdint>

namespace strata::data {

class Permutation {
 public:
  // n in [1, 2^48], otherwise a usage error. `stream` < 2^20 separates orders of one seed (a set of a mixture).
  Permutation(std::int64_t n, std::uint64_t seed, std::int64_t epoch, std::uint32_t stream = 0);

  std::int64_t size() const { return n_; }
  // Which item stands at `index`, and where an item stands; outside [0, n): usage error.
  std::int64_t operator()(std::int64_t index) const;
  std::int64_t inverse(std::int64_t item) const;

 private:
  std::uint64_t encrypt(std::uint64_t value) const;
  std::uint64_t decrypt(std::uint64_t value) const;
  std::uint64_t draw(int round, std::uint64_t half) const;
  void check(std::int64_t value) const;

  std::int64_t n_;
  std::uint64_t seed_;
  std::uint64_t epoch_;
  std::uint32_t stream_;
  int low_bits_ = 0, high_bits_ = 0;
};

}  // namespace strata::data
