// SPDX-License-Identifier: Apache-2.0
//
// Sixteen lanes at a time, on every instruction set: Floats is one AVX-512 register, two of AVX2 or four of SSE, so a
// sum over lanes has the same order, and the same bits, everywhere. For simd/*.cpp only (see isa.hpp); not for sizes
// known to be tiny. Loads and stores convert: memory may hold float or bf16 (as uint16_t). Products and sums are not
// contracted unless fma() says so, and then only where all sets have it.
#pragma once

#include <cstdint>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // these vectors never cross a call

#define STRATA_INLINE [[gnu::always_inline]] inline

namespace strata::cpu::STRATA_ISA {
namespace {

#if defined(__AVX512F__)
inline constexpr int kRegister = 64;
#elif defined(__AVX2__)
inline constexpr int kRegister = 32;
#else
inline constexpr int kRegister = 16;
#endif

inline constexpr int kLanes = 16;

template <class T, int N>
struct VectorOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};

// N lanes of T: a register, or two halves.
template <class T, int N>
struct Pack {
  static constexpr bool kLeaf = N * sizeof(T) <= kRegister;
  static constexpr int kCount = N;
  using Half = Pack<T, N / 2>;
  Half lo, hi;
};
template <class T, int N>
requires(N * sizeof(T) <= kRegister) struct Pack<T, N> {
  static constexpr bool kLeaf = true;
  static constexpr int kCount = N;
  using Vector = typename VectorOf<T, N>::type;
  Vector v;
};

using Floats = Pack<float, kLanes>;
using Ints = Pack<std::int32_t, kLanes>;
using Words = Pack<std::uint32_t, kLanes>;
using Doubles = Pack<double, kLanes>;

// --- lane by lane
// ----------------------------------------------------------------------------------------------------------------------------

#define STRATA_BINARY(name, result, expression)                         \
  template <class T, int N>                                             \
  STRATA_INLINE Pack<result, N> name(Pack<T, N> a, Pack<T, N> b) {      \
    if constexpr (Pack<T, N>::kLeaf && Pack<result, N>::kLeaf) {        \
      using Result [[maybe_unused]] = typename Pack<result, N>::Vector; \
      return {expression};                                              \
    } else {                                                            \
      return {name(a.lo, b.lo), name(a.hi, b.hi)};                      \
    }                                                                   \
  }

template <class T>
struct MaskOf {
  using type = std::int32_t;
};
template <>
struct MaskOf<double> {
  using type = std::int64_t;
};
template <class T>
using Mask = typename MaskOf<T>::type;

STRATA_BINARY(operator+, T, a.v + b.v)
STRATA_BINARY(operator-, T, a.v - b.v)
STRATA_BINARY(operator*, T, a.v* b.v)
STRATA_BINARY(operator/, T, a.v / b.v)
STRATA_BINARY(operator&, T, a.v& b.v)
STRATA_BINARY(operator|, T, a.v | b.v)
STRATA_BINARY(operator^, T, a.v ^ b.v)
STRATA_BINARY(operator<, Mask<T>, (a.v < b.v))
STRATA_BINARY(operator>, Mask<T>, (a.v > b.v))
STRATA_BINARY(operator>=, Mask<T>, (a.v >= b.v))
STRATA_BINARY(operator==, Mask<T>, (a.v == b.v))
STRATA_BINARY(operator!=, Mask<T>, (a.v != b.v))
STRATA_BINARY(max, T, a.v > b.v ? a.v : b.v)  // b where either is NaN
STRATA_BINARY(min, T, a.v < b.v ? a.v : b.v)
#undef STRATA_BINARY

// mask ? a : b, lane by lane.
template <class T, int N>
STRATA_INLINE Pack<T, N> select(Pack<Mask<T>, N> mask, Pack<T, N> a, Pack<T, N> b) {
  if constexpr (Pack<T, N>::kLeaf)
    return {mask.v ? a.v : b.v};
  else
    return {select(mask.lo, a.lo, b.lo), select(mask.hi, a.hi, b.hi)};
}

template <class P, class T>
STRATA_INLINE P splat(T value) {
  if constexpr (P::kLeaf)
    return {value - typename P::Vector{}};
  else
    return {splat<typename P::Half>(value), splat<typename P::Half>(value)};
}
STRATA_INLINE Floats splat(float value) { return splat<Floats>(value); }

template <int Shift, class T, int N>
STRATA_INLINE Pack<T, N> shift_left(Pack<T, N> a) {
  if constexpr (Pack<T, N>::kLeaf)
    return {a.v << Shift};
  else
    return {shift_left<Shift>(a.lo), shift_left<Shift>(a.hi)};
}
template <int Shift, class T, int N>
STRATA_INLINE Pack<T, N> shift_right(Pack<T, N> a) {
  if constexpr (Pack<T, N>::kLeaf)
    return {a.v >> Shift};
  else
    return {shift_right<Shift>(a.lo), shift_right<Shift>(a.hi)};
}

// The same bits as another type of the same size.
template <class To, class T, int N>
STRATA_INLINE Pack<To, N> bits(Pack<T, N> a) {
  if constexpr (Pack<T, N>::kLeaf)
    return {reinterpret_cast<typename Pack<To, N>::Vector>(a.v)};
  else
    return {bits<To>(a.lo), bits<To>(a.hi)};
}

// The same numbers as another type; floating to integer cuts off.
template <class To, class T, int N>
STRATA_INLINE Pack<To, N> convert(Pack<T, N> a) {
  if constexpr (Pack<T, N>::kLeaf && Pack<To, N>::kLeaf) {
    return {__builtin_convertvector(a.v, typename Pack<To, N>::Vector)};
  } else if constexpr (!Pack<T, N>::kLeaf && !Pack<To, N>::kLeaf) {
    return {convert<To>(a.lo), convert<To>(a.hi)};
  } else if constexpr (!Pack<T, N>::kLeaf) {  // two registers become one
    const auto lo = convert<To>(a.lo), hi = convert<To>(a.hi);
    Pack<To, N> result;
    __builtin_memcpy(&result.v, &lo, sizeof lo);
    __builtin_memcpy(reinterpret_cast<char*>(&result.v) + sizeof lo, &hi, sizeof hi);
    return result;
  } else {  // one register becomes two
    using Half = typename VectorOf<T, N / 2>::type;
    Half lo, hi;
    __builtin_memcpy(&lo, &a.v, sizeof lo);
    __builtin_memcpy(&hi, reinterpret_cast<const char*>(&a.v) + sizeof lo, sizeof hi);
    return {convert<To>(Pack<T, N / 2>{lo}), convert<To>(Pack<T, N / 2>{hi})};
  }
}

template <class T, int N>
STRATA_INLINE Pack<T, N> square_root(Pack<T, N> a) {
  if constexpr (!Pack<T, N>::kLeaf) {
    return {square_root(a.lo), square_root(a.hi)};
  } else {
    Pack<T, N> result;
    for (int i = 0; i < N; ++i) {
      if constexpr (sizeof(T) == 8)
        result.v[i] = __builtin_sqrt(a.v[i]);
      else
        result.v[i] = __builtin_sqrtf(a.v[i]);
    }
    return result;
  }
}

STRATA_INLINE Floats absolute(Floats a) { return bits<float>(bits<std::uint32_t>(a) & splat<Words>(0x7fffffffu)); }

// --- memory
// ----------------------------------------------------------------------------------------------------------------------------------

template <class P>
STRATA_INLINE P load_same(const void* from) {
  if constexpr (P::kLeaf) {
    P result;
    __builtin_memcpy(&result.v, from, sizeof result.v);
    return result;
  } else {
    return {load_same<typename P::Half>(from),
            load_same<typename P::Half>(static_cast<const char*>(from) + sizeof(P) / 2)};
  }
}
template <class P>
STRATA_INLINE void store_same(void* to, P a) {
  if constexpr (P::kLeaf) {
    __builtin_memcpy(to, &a.v, sizeof a.v);
  } else {
    store_same(to, a.lo);
    store_same(static_cast<char*>(to) + sizeof(P) / 2, a.hi);
  }
}

template <int N>
STRATA_INLINE Pack<float, N> widen_bf16(const std::uint16_t* from) {
  if constexpr (Pack<float, N>::kLeaf) {
    typename VectorOf<std::uint16_t, N>::type half;
    __builtin_memcpy(&half, from, sizeof half);
    const auto word = __builtin_convertvector(half, typename Pack<std::uint32_t, N>::Vector) << 16;
    return {reinterpret_cast<typename Pack<float, N>::Vector>(word)};
  } else {
    return {widen_bf16<N / 2>(from), widen_bf16<N / 2>(from + N / 2)};
  }
}
template <int N>
STRATA_INLINE void narrow_bf16(std::uint16_t* to, Pack<std::uint32_t, N> word) {
  if constexpr (Pack<std::uint32_t, N>::kLeaf) {
    const auto half = __builtin_convertvector(word.v, typename VectorOf<std::uint16_t, N>::type);
    __builtin_memcpy(to, &half, sizeof half);
  } else {
    narrow_bf16(to, word.lo);
    narrow_bf16(to + N / 2, word.hi);
  }
}

// Integers of 8 or 16 bits as floats, exactly.
template <int N, class T>
STRATA_INLINE Pack<float, N> widen_integers(const T* from) {
  if constexpr (Pack<float, N>::kLeaf) {
    typename VectorOf<T, N>::type narrow;
    __builtin_memcpy(&narrow, from, sizeof narrow);
    const auto whole = __builtin_convertvector(narrow, typename Pack<std::int32_t, N>::Vector);
    return {__builtin_convertvector(whole, typename Pack<float, N>::Vector)};
  } else {
    return {widen_integers<N / 2>(from), widen_integers<N / 2>(from + N / 2)};
  }
}

STRATA_INLINE Floats load(const float* from) { return load_same<Floats>(from); }
STRATA_INLINE Floats load(const std::uint16_t* from) { return widen_bf16<kLanes>(from); }
STRATA_INLINE Floats load(const std::uint8_t* from) { return widen_integers<kLanes>(from); }
STRATA_INLINE Floats load(const std::int16_t* from) { return widen_integers<kLanes>(from); }
STRATA_INLINE void store(float* to, Floats a) { store_same(to, a); }
// To nearest even; a NaN stays one, quiet: as BFloat16 does it.
template <int N>
STRATA_INLINE Pack<std::uint32_t, N> round_to_bf16(Pack<float, N> a) {
  using U = Pack<std::uint32_t, N>;
  const U u = bits<std::uint32_t>(a);
  const U rounded = shift_right<16>(u + splat<U>(0x7fffu) + (shift_right<16>(u) & splat<U>(1u)));
  const U quiet = shift_right<16>(u) | splat<U>(0x40u);
  return bits<std::uint32_t>(select(a == a, bits<float>(rounded), bits<float>(quiet)));
}
template <int N>
STRATA_INLINE void store(std::uint16_t* to, Pack<float, N> a) {
  narrow_bf16<N>(to, round_to_bf16(a));
}

// Any number of lanes, converted as above.
template <class P>
STRATA_INLINE P load_as(const float* from) {
  return load_same<P>(from);
}
template <class P>
STRATA_INLINE P load_as(const std::uint16_t* from) {
  return widen_bf16<P::kCount>(from);
}
template <int N>
STRATA_INLINE void store_as(float* to, Pack<float, N> a) {
  store_same(to, a);
}
template <int N>
STRATA_INLINE void store_as(std::uint16_t* to, Pack<float, N> a) {
  store(to, a);
}

// The first n < 16 lanes; the others become `rest`, or are left alone in memory.
template <class T>
STRATA_INLINE Floats load_some(const T* from, std::int64_t n, float rest = 0) {
  float lanes[kLanes];
  store(lanes, splat(rest));
  T some[kLanes] = {};
  __builtin_memcpy(some, from, static_cast<std::size_t>(n) * sizeof(T));
  float wide[kLanes];
  store(wide, load(some));
  for (std::int64_t i = 0; i < n; ++i) lanes[i] = wide[i];
  return load(lanes);
}
template <class T>
STRATA_INLINE void store_some(T* to, std::int64_t n, Floats a) {
  T some[kLanes];
  store(some, a);
  __builtin_memcpy(to, some, static_cast<std::size_t>(n) * sizeof(T));
}

// --- across lanes: lane i with lane i + 8, then i + 4, ...
// -----------------------------------------------------------------------------------

template <class T>
STRATA_INLINE T sum_lanes(Pack<T, kLanes> a) {
  T lane[kLanes];
  store_same(lane, a);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}
STRATA_INLINE float max_lanes(Floats a) {
  float lane[kLanes];
  store(lane, a);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] = lane[i] > lane[i + width] ? lane[i] : lane[i + width];
  return lane[0];
}

// --- whole arrays ----------------------------------------------------------------------------------------------------

// Sixteen columns of several arrays at once, or fewer at the end of a row: what `each` hands out.
struct Block {
  std::int64_t begin, count;

  template <class T>
  STRATA_INLINE Floats load(const T* from, float rest = 0) const {
    if (count == kLanes) return STRATA_ISA::load(from + begin);
    return load_some(from + begin, count, rest);
  }
  template <class T>
  STRATA_INLINE void store(T* to, Floats a) const {
    if (count == kLanes)
      STRATA_ISA::store(to + begin, a);
    else
      store_some(to + begin, count, a);
  }
};

// f(block) for 0 .. n, in order. Inlined twice, with the full blocks' branches gone.
template <class F>
STRATA_INLINE void each(std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(Block{i, kLanes});
  if (i < n) f(Block{i, n - i});
}

// The sum over f(block)'s lanes; lanes beyond n must be 0.
template <class F>
STRATA_INLINE float fold(std::int64_t n, F f) {
  Floats sum = splat(0.0f);
  each(
      n, [&](Block at) __attribute__((always_inline)) { sum = sum + f(at); });
  return sum_lanes(sum);
}

// y[i] = f(x[i]) ..., sixteen at a time. f is called with Floats and must not mix lanes.
template <class Y, class X, class F>
STRATA_INLINE void map(Y* y, const X* x, std::int64_t n, F f) {
  each(
      n, [&](Block at) __attribute__((always_inline)) { at.store(y, f(at.load(x))); });
}
template <class Y, class A, class B, class F>
STRATA_INLINE void map(Y* y, const A* a, const B* b, std::int64_t n, F f) {
  each(
      n, [&](Block at) __attribute__((always_inline)) { at.store(y, f(at.load(a), at.load(b))); });
}

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
