// SPDX-License-Identifier: Apache-2.0
#include "study/simd/rows.hpp"

namespace strata::study::STRATA_ISA {
namespace {

inline float clip(float x) {
  x = x > 0.0f ? x : 0.0f;  // as written, a NaN becomes 0
  return x < 1.0f ? x : 1.0f;
}

void read(const ReadMap& map, const float* __restrict in, float* __restrict out, std::int64_t n) {
  const float low = map.low, scale = map.scale, padding = map.padding, fill = map.fill;
  if (map.windowed && map.has_padding) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] == padding ? fill : clip((in[i] - low) * scale);
  } else if (map.windowed) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = clip((in[i] - low) * scale);
  } else if (map.has_padding) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] == padding ? fill : in[i] - low;
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] - low;
  }
}

template <std::uint64_t kTaps, bool kAdd>
void combine_taps(const float* const* rows, const float* weights, float* __restrict out, std::int64_t n) {
  const float* __restrict row[kTaps];
  float weight[kTaps];
  for (std::uint64_t k = 0; k < kTaps; ++k) {
    row[k] = rows[k];
    weight[k] = weights[k];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    float sum = kAdd ? out[i] + weight[0] * row[0][i] : weight[0] * row[0][i];
    for (std::uint64_t k = 1; k < kTaps; ++k) sum += weight[k] * row[k][i];
    out[i] = sum;
  }
}

template <bool kAdd>
void combine_few(const float* const* rows, const float* weights, std::int64_t taps, float* out, std::int64_t n) {
  switch (taps) {
    case 1: return combine_taps<1, kAdd>(rows, weights, out, n);
    case 2: return combine_taps<2, kAdd>(rows, weights, out, n);
    case 3: return combine_taps<3, kAdd>(rows, weights, out, n);
    default: return combine_taps<4, kAdd>(rows, weights, out, n);
  }
}

void combine(const float* const* rows, const float* weights, std::int64_t taps, float* out, std::int64_t n) {
  combine_few<false>(rows, weights, taps < 4 ? taps : 4, out, n);
  for (std::int64_t k = 4; k < taps; k += 4)
    combine_few<true>(rows + k, weights + k, taps - k < 4 ? taps - k : 4, out, n);
}

template <std::uint64_t kTaps, bool kAdd>
void gather_taps(const float* __restrict in, const std::int32_t* __restrict first, const float* __restrict weights,
                 float* __restrict out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float* sample = in + first[i];
    float sum = kAdd ? out[i] + weights[i] * sample[0] : weights[i] * sample[0];
    for (std::uint64_t k = 1; k < kTaps; ++k) sum += weights[static_cast<std::int64_t>(k) * n + i] * sample[k];
    out[i] = sum;
  }
}

template <bool kAdd>
void gather_few(const float* in, const std::int32_t* first, const float* weights, std::int64_t taps, float* out,
                std::int64_t n) {
  switch (taps) {
    case 1: return gather_taps<1, kAdd>(in, first, weights, out, n);
    case 2: return gather_taps<2, kAdd>(in, first, weights, out, n);
    case 3: return gather_taps<3, kAdd>(in, first, weights, out, n);
    default: return gather_taps<4, kAdd>(in, first, weights, out, n);
  }
}

void gather(const float* in, const std::int32_t* first, const float* weights, std::int64_t taps, float* out,
            std::int64_t n) {
  gather_few<false>(in, first, weights, taps < 4 ? taps : 4, out, n);
  for (std::int64_t k = 4; k < taps; k += 4)
    gather_few<true>(in + k, first, weights + k * n, taps - k < 4 ? taps - k : 4, out, n);
}

void to_u8(const float* __restrict in, std::uint8_t* __restrict out, std::int64_t n, float low, float scale) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(clip((in[i] - low) * scale) * 255.0f + 0.5f));
}

void to_i16(const float* __restrict in, std::int16_t* __restrict out, std::int64_t n, float low, float scale) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(clip((in[i] - low) * scale) * 32767.0f + 0.5f));
}

// Interpolation by cubic B-splines (IEEE Trans. Signal Processing 41, 1993): one pole z, a causal and an anti-causal
// pass. Beyond both ends the edge sample repeats for ever, which gives both passes their start in closed form.
constexpr float kPole = -0.26794919243112270647f;  // sqrt(3) − 2

void spline(float* rows, std::int64_t stride, std::int64_t n, std::int64_t width, float* __restrict scratch) {
  float* __restrict last = rows + stride * (n - 1);
  constexpr float kSteady = 6.0f / (1.0f - kPole);  // what the causal pass makes of a constant 1
  for (std::int64_t i = 0; i < width; ++i) scratch[i] = kSteady * last[i];
  for (std::int64_t i = 0; i < width; ++i) rows[i] = kSteady * rows[i];
  for (std::int64_t k = 1; k < n; ++k) {
    const float* __restrict before = rows + stride * (k - 1);
    float* __restrict row = rows + stride * k;
    for (std::int64_t i = 0; i < width; ++i) row[i] = 6.0f * row[i] + kPole * before[i];
  }
  constexpr float kConstant = -kPole / (1.0f - kPole), kDecaying = -kPole / (1.0f - kPole * kPole);
  for (std::int64_t i = 0; i < width; ++i) last[i] = kConstant * scratch[i] + kDecaying * (last[i] - scratch[i]);
  for (std::int64_t k = n - 2; k >= 0; --k) {
    const float* __restrict after = rows + stride * (k + 1);
    float* __restrict row = rows + stride * k;
    for (std::int64_t i = 0; i < width; ++i) row[i] = kPole * (after[i] - row[i]);
  }
}

std::int64_t measure(const float* __restrict in, std::int64_t n, bool has_padding, float padding, float* low_high) {
  constexpr int kLanes = 16;  // independent, so that the loop vectorises
  constexpr float kLargest = 3.402823466e+38f;
  float low[kLanes], high[kLanes];
  std::int32_t count[kLanes];
  std::int64_t total = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    low[lane] = kLargest;
    high[lane] = -kLargest;
  }
  const std::int32_t every = has_padding ? 0 : 1;
  for (std::int64_t begin = 0; begin < n;) {
    const std::int64_t end = n - begin > (std::int64_t{1} << 30) ? begin + (std::int64_t{1} << 30) : n;
    for (int lane = 0; lane < kLanes; ++lane) count[lane] = 0;
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int lane = 0; lane < kLanes; ++lane) {
        const float x = in[i + lane];
        const std::int32_t counts = (x >= -kLargest) & (x <= kLargest) & ((x != padding) | every);
        const float smaller = counts ? x : kLargest, larger = counts ? x : -kLargest;
        low[lane] = smaller < low[lane] ? smaller : low[lane];
        high[lane] = larger > high[lane] ? larger : high[lane];
        count[lane] += counts;
      }
    for (; i < end; ++i) {
      const float x = in[i];
      if (!(x >= -kLargest && x <= kLargest) || (has_padding && x == padding)) continue;
      low[0] = x < low[0] ? x : low[0];
      high[0] = x > high[0] ? x : high[0];
      ++count[0];
    }
    for (int lane = 0; lane < kLanes; ++lane) total += count[lane];
    begin = end;
  }
  for (int lane = 1; lane < kLanes; ++lane) {
    low[0] = low[lane] < low[0] ? low[lane] : low[0];
    high[0] = high[lane] > high[0] ? high[lane] : high[0];
  }
  low_high[0] = low[0];
  low_high[1] = high[0];
  return total;
}

void blend(const float* __restrict a, const float* __restrict b, float fraction, float padding, float* __restrict out,
           std::int64_t n) {
  const bool second = fraction >= 0.5f;
  for (std::int64_t i = 0; i < n; ++i) {
    const float between = a[i] + (b[i] - a[i]) * fraction, nearer = second ? b[i] : a[i];
    out[i] = ((a[i] == padding) | (b[i] == padding)) ? nearer : between;
  }
}

}  // namespace

extern const RowKernels kRowKernels;
const RowKernels kRowKernels{read, combine, gather, to_u8, to_i16, spline, measure, blend};

}  // namespace strata::study::STRATA_ISA
