// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/step.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// Plain loops over restricted pointers: the compiler vectorises them, and an element rounds alike in the vector body
// and in the tail.

float widen(float x) { return x; }
float widen(std::uint16_t half) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(half) << 16); }

// As BFloat16 rounds: to nearest even, a NaN stays one.
std::uint16_t narrow(float x) {
  const auto u = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const std::uint32_t quiet = (u >> 16) | 0x40u;
  return static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

void write_copy(const StepPiece& t) {
  const float* __restrict p = t.p;
  std::uint16_t* __restrict copy = t.copy;
  for (std::int64_t i = 0; i < t.n; ++i) copy[i] = narrow(p[i]);
}

// A block of p stays in the first-level cache between its update and its copy.
constexpr std::int64_t kBlock = 1024;

template <class Update>
void in_blocks(const StepPiece& t, const Update& update) {
  for (std::int64_t begin = 0; begin < t.n; begin += kBlock) {
    StepPiece block = t;
    block.n = t.n - begin < kBlock ? t.n - begin : kBlock;
    block.p += begin;
    if (t.g) block.g += begin;
    if (t.g_half) block.g_half += begin;
    if (t.m) block.m += begin;
    if (t.v) block.v += begin;
    if (t.copy) block.copy += begin;
    if (t.g_half)
      update(block, block.g_half);
    else
      update(block, block.g);
    if (t.copy) write_copy(block);
  }
}

void adamw(const StepPiece& piece, const AdamScalars& scalars) {
  in_blocks(piece, [&](const StepPiece& t, const auto* __restrict gradient) {
    const AdamScalars s = scalars;
    float* __restrict p = t.p;
    float* __restrict m = t.m;
    float* __restrict v = t.v;
    for (std::int64_t i = 0; i < t.n; ++i) {
      const float g = s.factor * widen(gradient[i]) + s.l2 * p[i];
      m[i] += s.blend1 * (g - m[i]);
      v[i] = s.beta2 * v[i] + s.blend2 * (g * g);
      const float root = __builtin_sqrtf(v[i]) * s.root_scale + s.eps;
      p[i] = s.keep * p[i] - s.step * (m[i] / root);
    }
  });
}

void sgd(const StepPiece& piece, const SgdScalars& scalars) {
  in_blocks(piece, [&](const StepPiece& t, const auto* __restrict gradient) {
    const SgdScalars s = scalars;
    const float past = s.nesterov ? s.momentum : 1.0f, now = s.nesterov ? 1.0f : 0.0f;
    float* __restrict p = t.p;
    float* __restrict m = t.m;
    for (std::int64_t i = 0; i < t.n; ++i) {
      const float g = s.factor * widen(gradient[i]) + s.l2 * p[i];
      m[i] = s.momentum * m[i] + s.blend * g;
      p[i] -= s.lr * (past * m[i] + now * g);
    }
  });
}

void sgd_plain(const StepPiece& piece, const SgdScalars& scalars) {
  in_blocks(piece, [&](const StepPiece& t, const auto* __restrict gradient) {
    const SgdScalars s = scalars;
    float* __restrict p = t.p;
    for (std::int64_t i = 0; i < t.n; ++i) p[i] -= s.lr * (s.factor * widen(gradient[i]) + s.l2 * p[i]);
  });
}

void lion(const StepPiece& piece, const LionScalars& scalars) {
  in_blocks(piece, [&](const StepPiece& t, const auto* __restrict gradient) {
    const LionScalars s = scalars;
    float* __restrict p = t.p;
    float* __restrict m = t.m;
    for (std::int64_t i = 0; i < t.n; ++i) {
      const float g = s.factor * widen(gradient[i]);
      const float u = s.beta1 * m[i] + s.blend1 * g;
      const float direction = static_cast<float>(u > 0) - static_cast<float>(u < 0);
      p[i] = s.keep * p[i] - s.lr * direction;
      m[i] = s.beta2 * m[i] + s.blend2 * g;
    }
  });
}

float lamb_direction(float p, float m, float v, const LambScalars& s) {
  return m * s.inverse_bias1 / (__builtin_sqrtf(v) * s.root_scale + s.eps) + s.decay * p;
}

// Sixteen lanes of double, added up as a tree: the same sum whatever the width of a register.
struct SumOfSquares {
  Doubles lanes = splat<Doubles>(0.0);

  // The lanes stay in registers over the whole array.
  template <class T>
  STRATA_INLINE void add(const T* x, std::int64_t n) {
    Doubles sum = lanes;
    each(
        n, [&](Block at) __attribute__((always_inline)) {
          const Doubles v = doubles(at, x);
          sum = sum + v * v;
        });
    lanes = sum;
  }
  STRATA_INLINE double total() const { return sum_lanes(lanes); }

 private:
  template <class T>
  STRATA_INLINE static Doubles doubles(Block at, const T* x) {
    return convert<double>(at.load(x));
  }
  STRATA_INLINE static Doubles doubles(Block at, const double* x) {
    if (at.count == kLanes) return load_same<Doubles>(x + at.begin);
    double rest[kLanes] = {};
    for (std::int64_t i = 0; i < at.count; ++i) rest[i] = x[at.begin + i];
    return load_same<Doubles>(rest);
  }
};

LambSums lamb_moments(const StepPiece& piece, const LambScalars& scalars) {
  SumOfSquares p_squared, u_squared;
  StepPiece without_copy = piece;
  without_copy.copy = nullptr;
  in_blocks(without_copy, [&](const StepPiece& t, const auto* __restrict gradient) {
    const LambScalars s = scalars;
    const float* __restrict p = t.p;
    float* __restrict m = t.m;
    float* __restrict v = t.v;
    float u[kBlock];
    for (std::int64_t i = 0; i < t.n; ++i) {
      const float g = s.factor * widen(gradient[i]);
      m[i] += s.blend1 * (g - m[i]);
      v[i] = s.beta2 * v[i] + s.blend2 * (g * g);
      u[i] = lamb_direction(p[i], m[i], v[i], s);
    }
    p_squared.add(t.p, t.n);
    u_squared.add(u, t.n);
  });
  return {p_squared.total(), u_squared.total()};
}

void lamb_apply(const StepPiece& piece, const LambScalars& scalars, float lr_times_ratio) {
  in_blocks(piece, [&](const StepPiece& t, const auto*) {
    const LambScalars s = scalars;
    float* __restrict p = t.p;
    const float* __restrict m = t.m;
    const float* __restrict v = t.v;
    for (std::int64_t i = 0; i < t.n; ++i) p[i] -= lr_times_ratio * lamb_direction(p[i], m[i], v[i], s);
  });
}

template <class T>
double squares(const T* x, std::int64_t n) {
  SumOfSquares sum;
  sum.add(x, n);
  return sum.total();
}

void ema(float* __restrict e, const float* __restrict p, std::int64_t n, float blend) {
  for (std::int64_t i = 0; i < n; ++i) e[i] += blend * (p[i] - e[i]);
}

}  // namespace

extern const StepSimd step_simd{adamw, sgd, sgd_plain, lion, lamb_moments, lamb_apply, squares, squares, squares, ema};

}  // namespace strata::cpu::STRATA_ISA
