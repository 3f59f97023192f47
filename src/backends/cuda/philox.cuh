// SPDX-License-Identifier: Apache-2.0
//
// strata/base/random.hpp on the device, number for number: std::array's members cannot be called there.
#pragma once

#include <cstdint>

#include "strata/base/random.hpp"

namespace strata::cuda {

struct PhiloxKey {
  std::uint32_t low = 0, high = 0;
};
inline PhiloxKey philox_key(const RandomKey& key) {
  const auto words = key.words();
  return {words[0], words[1]};
}

struct PhiloxWords {
  std::uint32_t v[4];
};

// RandomCounter's words.
__device__ __forceinline__ PhiloxWords philox_counter(std::uint64_t ordinal, std::uint32_t layer, std::uint32_t part,
                                                      std::uint32_t block) {
  return {{block, (layer << 20) | (part & 0xfffffu), static_cast<std::uint32_t>(ordinal),
           static_cast<std::uint32_t>(ordinal >> 32)}};
}

__device__ __forceinline__ PhiloxWords philox(PhiloxWords c, PhiloxKey k) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c.v[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c.v[2];
    c = {{static_cast<std::uint32_t>(p1 >> 32) ^ c.v[1] ^ k.low, static_cast<std::uint32_t>(p1),
          static_cast<std::uint32_t>(p0 >> 32) ^ c.v[3] ^ k.high, static_cast<std::uint32_t>(p0)}};
    k = {k.low + 0x9E3779B9u, k.high + 0xBB67AE85u};
  }
  return c;
}

// uniform_float of random.hpp: in [0, 1) with 24 bits.
__device__ __forceinline__ float uniform_of(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1.0p-24f; }

}  // namespace strata::cuda
