// SPDX-License-Identifier: Apache-2.0
#include "strata/study/intensity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "study/simd/rows.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/unit/study/ramp.hpp"

namespace strata::study {
namespace {

Volume flat(std::vector<float> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  return {{{1, 1, n}, {}, {Vec3{0, 0, 1}, Vec3{0, 1, 0}, Vec3{1, 0, 0}}}, std::move(values), {}};
}

TEST(Window, MapsAndClips) {
  Volume v = flat({-5, 0, 20, 40, 80, 90, 4000});
  EXPECT_EQ(windowed(v, {0, 80}).voxels, (std::vector<float>{0, 0, 0.25f, 0.5f, 1, 1, 1}));
  v.padding = 4000.0f;
  EXPECT_EQ(windowed(v, {0, 80}).voxels.back(), 0);
  fixtures::message_of([&] { windowed(v, {80, 80}); }, ErrorKind::usage);
}

TEST(Quantize, RoundsToLevels) {
  const Volume unit = flat({-1, 0, 0.5f / 255, 1.4f / 255, 1, 7, std::numeric_limits<float>::quiet_NaN()});
  const auto bytes = quantize(unit, DType::u8);
  const std::vector<int> expected{0, 0, 1, 1, 255, 255, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(static_cast<int>(bytes[i]), expected[i]) << i;
  std::vector<std::int16_t> words(unit.voxels.size());
  const auto stored = quantize(unit, DType::i16);
  ASSERT_EQ(stored.size(), words.size() * 2);
  std::memcpy(words.data(), stored.data(), stored.size());
  EXPECT_EQ(words[4], 32767);
  EXPECT_EQ(words[2], 64);
  fixtures::message_of([&] { quantize(unit, DType::f32); }, ErrorKind::usage);
}

TEST(Percentiles, LeaveOutPaddingAndWhatIsNoNumber) {
  std::vector<float> values;
  for (int i = 0; i <= 100; ++i) values.push_back(static_cast<float>(i));
  const Window alone = percentile_window(flat(values), {5, 95});
  EXPECT_DOUBLE_EQ(alone.low, 5);
  EXPECT_DOUBLE_EQ(alone.high, 95);
  values.insert(values.end(), 500, -7.0f);
  values.insert(values.begin(), 3, std::numeric_limits<float>::quiet_NaN());
  values.push_back(std::numeric_limits<float>::infinity());
  Volume padded = flat(values);
  padded.padding = -7.0f;
  EXPECT_EQ(percentile_window(padded, {5, 95}), alone);
}

TEST(Percentiles, OfOneValueOrNone) {
  EXPECT_EQ(percentile_window(flat({3, 3, 3}), {1, 99}), (Window{3, 4}));
  Volume none = flat({3, 3});
  none.padding = 3.0f;
  EXPECT_EQ(percentile_window(none, {1, 99}), (Window{0, 1}));
  fixtures::message_of([&] { percentile_window(none, {50, 50}); }, ErrorKind::usage);
}

TEST(Percentiles, OfAllSigns) {
  const Window w = percentile_window(flat({-3e30f, -2, -0.0f, 0, 1e-40f, 5, 7e30f}), {0, 50});
  EXPECT_EQ(w.low, static_cast<double>(-3e30f));
  EXPECT_EQ(w.high, 0);
}

// Sums over taps and the tails of rows, against plain loops.
TEST(Rows, EqualPlainLoops) {
  const RowKernels& kernels = row_kernels();
  for (const std::int64_t taps : {1, 2, 3, 4, 5, 7, 8, 11}) {
    constexpr std::int64_t kWidth = 67;
    std::vector<float> rows(static_cast<std::size_t>(taps * kWidth)), weights(static_cast<std::size_t>(taps)),
        out(kWidth);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50);
    for (std::size_t k = 0; k < weights.size(); ++k) weights[k] = static_cast<float>(k + 1) / 8;
    std::vector<const float*> starts;
    for (std::int64_t k = 0; k < taps; ++k) starts.push_back(rows.data() + k * kWidth);
    kernels.combine(starts.data(), weights.data(), taps, out.data(), kWidth);
    for (std::size_t i = 0; i < out.size(); ++i) {
      float expected = 0;
      for (std::size_t k = 0; k < weights.size(); ++k) expected += weights[k] * starts[k][i];
      EXPECT_EQ(out[i], expected) << taps;  // eighths of small integers: exact in any order
    }
    std::vector<std::int32_t> first(20);
    std::vector<float> spread(static_cast<std::size_t>(taps) * first.size()), gathered(first.size());
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int32_t>(i * 13 % 50);
    for (std::size_t i = 0; i < spread.size(); ++i) spread[i] = static_cast<float>(i % 9) / 8;
    kernels.gather(rows.data(), first.data(), spread.data(), taps, gathered.data(), 20);
    for (std::size_t i = 0; i < first.size(); ++i) {
      float expected = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(taps); ++k)
        expected += spread[k * first.size() + i] * rows[static_cast<std::size_t>(first[i]) + k];
      EXPECT_EQ(gathered[i], expected) << taps;
    }
  }
}

// What is stored may not depend on the processor that ingested it.
TEST(Rows, EveryInstructionSetGivesTheSameBits) {
  constexpr std::int64_t kN = 1037;
  std::vector<float> in(5 * kN), weights(5 * kN), scratch(kN);
  for (std::size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<float>(std::sin(static_cast<double>(i) * 0.7) * 1234.5);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(std::cos(static_cast<double>(i) * 1.3));
  std::vector<std::int32_t> first(kN);
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int32_t>(i * 7 % 4000);
  const std::vector<const float*> rows{&in[0], &in[kN], &in[2 * kN], &in[3 * kN], &in[4 * kN]};

  const auto run = [&](const RowKernels& kernels) {
    std::vector<float> results(4 * kN), coefficients = in;
    kernels.combine(rows.data(), weights.data(), 5, &results[0], kN);
    kernels.gather(in.data(), first.data(), weights.data(), 5, &results[kN], kN);
    kernels.blend(&in[0], &in[kN], 0.3f, in[5], &results[2 * kN], kN);
    kernels.read({.low = -100, .scale = 0.013f, .windowed = true, .has_padding = true, .padding = in[9]}, in.data(),
                 &results[3 * kN], kN);
    kernels.spline(coefficients.data(), kN, 5, kN, scratch.data());
    results.insert(results.end(), coefficients.begin(), coefficients.end());
    std::vector<std::uint8_t> bytes(kN);
    std::vector<std::int16_t> words(kN);
    kernels.to_u8(in.data(), bytes.data(), kN, -900, 1.0f / 1700);
    kernels.to_i16(in.data(), words.data(), kN, -900, 1.0f / 1700);
    results.insert(results.end(), bytes.begin(), bytes.end());
    results.insert(results.end(), words.begin(), words.end());
    float range[2] = {};
    results.push_back(static_cast<float>(kernels.measure(in.data(), kN, true, in[3], range)));
    results.insert(results.end(), range, range + 2);
    return results;
  };
  const std::vector<float> expected = run(row_kernels());
  for (int back = 1; earlier_row_kernels(back) != nullptr; ++back) {
    const std::vector<float> got = run(*earlier_row_kernels(back));
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), expected.size() * sizeof(float)), 0) << back;
  }
}

}  // namespace
}  // namespace strata::study
