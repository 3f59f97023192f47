// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/sums.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

template <class T>
double sum(const T* x, std::int64_t n) {
  Doubles total = splat<Doubles>(0.0);
  each(
      n, [&](Block at) __attribute__((always_inline)) { total = total + convert<double>(at.load(x)); });
  return sum_lanes(total);
}

template <class T>
STRATA_INLINE Floats row(Block at, const T* x, std::int64_t stride, std::int64_t r) {
  return at.load(x + r * stride);
}

// Eight rows in float, as a tree, and that in double: a long column's error does not grow with its length.
template <class T>
STRATA_INLINE Floats eight_rows(Block at, const T* x, std::int64_t stride) {
  return ((row(at, x, stride, 0) + row(at, x, stride, 1)) + (row(at, x, stride, 2) + row(at, x, stride, 3))) +
         ((row(at, x, stride, 4) + row(at, x, stride, 5)) + (row(at, x, stride, 6) + row(at, x, stride, 7)));
}

STRATA_INLINE void accumulate(Block at, double* sums, Floats x) {
  if (at.count == kLanes) {
    store_same(sums + at.begin, load_same<Doubles>(sums + at.begin) + convert<double>(x));
  } else {
    float lane[kLanes];
    store(lane, x);
    for (std::int64_t i = 0; i < at.count; ++i) sums[at.begin + i] += static_cast<double>(lane[i]);
  }
}

template <class T>
void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, double* sums) {
  std::int64_t r = 0;
  for (; r + 8 <= rows; r += 8, x += 8 * stride)
    each(
        n, [=](Block at) __attribute__((always_inline)) { accumulate(at, sums, eight_rows(at, x, stride)); });
  for (; r < rows; ++r, x += stride)
    each(
        n, [=](Block at) __attribute__((always_inline)) { accumulate(at, sums, at.load(x)); });
}

}  // namespace

extern const SumsSimd sums_simd{{&sum<float>, &columns<float>}, {&sum<std::uint16_t>, &columns<std::uint16_t>}};

}  // namespace strata::cpu::STRATA_ISA
