// SPDX-License-Identifier: Apache-2.0
//
// Indexes and targets that data bring and that point nowhere. A kernel writes the first one down on the device and goes
// on without reading anything; whoever next waits for the device gets the data error. So no op waits by itself.
#pragma once

#include <algorithm>
#include <cstdint>

#include "strata/runtime/context.hpp"

namespace strata::cuda {

enum class FaultPlace : std::uint8_t {
  gather_rows,
  scatter_add_rows,
  add_rows,
  patch_unfold,
  cross_entropy,
  sigmoid_cross_entropy,
};
inline constexpr int kFaultPlaces = 6;

// A bit pattern of ones is no fault: so they are reset.
struct Faults {
  unsigned long long first[kFaultPlaces];  // position · 2³² + the low half of the value
  long long limit[kFaultPlaces];           // of values there
};

inline Faults no_faults() {
  Faults faults;
  std::ranges::fill(faults.first, ~0ull);
  std::ranges::fill(faults.limit, -1);
  return faults;
}

// On the device of a context's backend.
Faults* faults_of(const Context& ctx);
// Host: data error for the first place that has one.
void check_faults(const Faults& faults);

}  // namespace strata::cuda
