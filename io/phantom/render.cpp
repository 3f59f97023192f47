// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/render.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "io/phantom/shapes.hpp"
#include "strata/base/error.hpp"

namespace strata::phantom {
namespace {

// LPS to the head's frame, as an affine map.
struct ToHead {
  std::array<float, 9> rows{};
  Point offset;

  explicit ToHead(const StudyPlan& study) : offset(study.offset) {
    const Point size = study.head.size;
    const std::array<float, 3> sizes{size.x, size.y, size.z};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) rows[3 * i + j] = static_cast<float>(study.turn[3 * j + i]) / sizes[i];
  }
  Point linear(const Point& v) const {
    return {rows[0] * v.x + rows[1] * v.y + rows[2] * v.z, rows[3] * v.x + rows[4] * v.y + rows[5] * v.z,
            rows[6] * v.x + rows[7] * v.y + rows[8] * v.z};
  }
  Point operator()(const Point& p) const { return linear(p - offset); }
};

Point plus(const Point& a, float t, const Point& b) { return {a.x + t * b.x, a.y + t * b.y, a.z + t * b.z}; }

// Foam in a thin shell: the head lies in a hollow.
float table_at(const Point& p, float soft) {
  if (p.y < 60 || std::abs(p.x) > 105) return kAir;
  const float below = p.y - (107 - 0.0026f * p.x * p.x);
  const auto cover = [soft](float d) { return std::clamp(0.5f - d / soft, 0.0f, 1.0f); };
  const float shell = cover(std::abs(below) - 1.5f), foam = cover(std::abs(below - 9) - 9),
              rail = cover(std::abs(below - 18) - 1.5f);
  return kAir + std::max({40 * foam, 1050 * shell, 1020 * rail});
}

// Values of a slice, with what their neighbours weigh: out = in + amount · (mean of the 3 × 3 neighbourhood − in).
void filter(std::span<const float> in, int n, float amount, std::span<float> out) {
  const auto at = [&](int r, int c) {
    return in[static_cast<std::size_t>(std::clamp(r, 0, n - 1) * n + std::clamp(c, 0, n - 1))];
  };
  for (int r = 0; r < n; ++r)
    for (int c = 0; c < n; ++c) {
      const float cross = at(r - 1, c) + at(r + 1, c) + at(r, c - 1) + at(r, c + 1);
      const float corner = at(r - 1, c - 1) + at(r - 1, c + 1) + at(r + 1, c - 1) + at(r + 1, c + 1);
      const float value = at(r, c), mean = 0.25f * value + 0.125f * cross + 0.0625f * corner;
      out[static_cast<std::size_t>(r * n + c)] = value + amount * (mean - value);
    }
}

// Near normal: the sum of the four bytes of a word has mean 510 and standard deviation 147.8.
void draw_noise(const StudyPlan& study, const SeriesPlan& series, std::uint32_t slice, std::span<float> noise) {
  const RandomKey key = key_of(study.seed);
  RandomCounter counter{static_cast<std::uint64_t>(study.index),
                        static_cast<std::uint32_t>(Stream::noise) + 16 + static_cast<std::uint32_t>(series.kind), slice,
                        0};
  for (std::size_t i = 0; i < noise.size(); i += 4, ++counter.block) {
    const auto words = random_words(key, counter);
    for (std::size_t j = 0; j < std::min<std::size_t>(4, noise.size() - i); ++j) {
      const std::uint32_t w = words[j];
      const auto sum = static_cast<int>((w & 255u) + ((w >> 8) & 255u) + ((w >> 16) & 255u) + (w >> 24));
      noise[i + j] = static_cast<float>(sum - 510) / 147.8f;
    }
  }
}

class Renderer {
 public:
  Renderer(const StudyPlan& study, const SeriesPlan& series, Slices& to)
      : study_(study),
        series_(series),
        to_(to),
        soft_(static_cast<float>(0.55 * to.spacing + 0.12 * series.thickness)),
        head_(study.head, study.findings, soft_),
        to_head_(study) {}

  void slice(std::size_t k) {
    const auto n = static_cast<std::size_t>(to_.matrix);
    hu_.resize(n * n);
    noise_.resize(n * n);
    work_.resize(n * n);
    if (!to_.lesions.empty()) lesions_ = std::span(to_.lesions).subspan(k * n * n, n * n);
    for (int r = 0; r < to_.matrix; ++r) row(to_.centres[k], r);
    draw_noise(study_, series_, static_cast<std::uint32_t>(k), noise_);
    finish();
    store(std::span(to_.stored).subspan(k * n * n, n * n));
  }

 private:
  void row(const Point& centre, int r) {
    const float half = 0.5f * static_cast<float>(to_.matrix - 1);
    Point p = plus(plus(centre, static_cast<float>(r) - half, to_.step_h), -half, to_.step_w);
    Point h = to_head_(p);
    const Point step = to_head_.linear(to_.step_w);
    const auto at = static_cast<std::size_t>(r * to_.matrix);
    for (std::size_t c = 0; c < static_cast<std::size_t>(to_.matrix);
         ++c, p = plus(p, 1, to_.step_w), h = plus(h, 1, step)) {
      Head::Sample sample;
      if (Head::may_hold(h)) sample = head_.at(h);
      if (p.y > 60) sample.hu = std::max(sample.hu, table_at(p, soft_));
      hu_[at + c] = sample.hu;
      if (!lesions_.empty()) lesions_[at + c] = sample.lesion;
    }
  }

  // Soft kernels smooth the noise, bone kernels sharpen everything.
  void finish() {
    const bool bone = series_.kind == SeriesKind::bone;
    const auto sd = static_cast<float>(series_.noise);
    filter(noise_, to_.matrix, bone ? -0.5f : 0.8f, work_);
    const float gain = bone ? sd / 1.4f : sd / 0.5f;
    std::swap(work_, noise_);
    if (bone) {
      filter(hu_, to_.matrix, -0.7f, work_);
      std::swap(work_, hu_);
    }
    for (std::size_t i = 0; i < hu_.size(); ++i) hu_[i] += gain * noise_[i];
  }

  void store(std::span<std::int16_t> to) const {
    const Scanner& scanner = study_.scanner;
    const float intercept = static_cast<float>(scanner.intercept), low = -1024, high = 3071;
    const float radius = 0.5f * static_cast<float>(to_.matrix);
    for (std::size_t i = 0; i < hu_.size(); ++i)
      to[i] = static_cast<std::int16_t>(static_cast<int>(std::clamp(hu_[i], low, high) - intercept + 4096.5f) -
                                        4096);  // rounded
    if (!scanner.pads) return;
    for (int r = 0; r < to_.matrix; ++r)
      for (int c = 0; c < to_.matrix; ++c)
        if (std::hypot(static_cast<float>(r) + 0.5f - radius, static_cast<float>(c) + 0.5f - radius) > radius)
          to[static_cast<std::size_t>(r * to_.matrix + c)] = kStoredPadding;
  }

  const StudyPlan& study_;
  const SeriesPlan& series_;
  Slices& to_;
  float soft_;
  Head head_;
  ToHead to_head_;
  std::vector<float> hu_, noise_, work_;
  std::span<std::uint8_t> lesions_;
};

}  // namespace

Slices render(const StudyPlan& study, const SeriesPlan& series, bool with_lesions) {
  Slices slices{.matrix = study.matrix, .spacing = study.field / study.matrix};
  const double tilt = study.tilt * std::numbers::pi / 180;
  const auto spacing = slices.spacing;
  slices.step_w = {static_cast<float>(spacing), 0, 0};
  slices.step_h = {0, static_cast<float>(spacing * std::cos(tilt)), static_cast<float>(-spacing * std::sin(tilt))};
  for (const double z : series.table) slices.centres.push_back({0, 0, static_cast<float>(z)});
  const auto voxels =
      series.table.size() * static_cast<std::size_t>(study.matrix) * static_cast<std::size_t>(study.matrix);
  slices.stored.resize(voxels);
  if (with_lesions) slices.lesions.resize(voxels);
  Renderer renderer(study, series, slices);
  for (std::size_t k = 0; k < series.table.size(); ++k) renderer.slice(k);
  return slices;
}

Projection project(const StudyPlan& study, const Slices& slices) {
  const auto n = static_cast<std::size_t>(slices.matrix);
  const double top = slices.centres.back().z, bottom = slices.centres.front().z;
  Projection out{
      .rows = static_cast<int>((top - bottom) / slices.spacing), .columns = slices.matrix, .spacing = slices.spacing};
  const auto half = static_cast<float>(0.5 * (slices.matrix - 1) * slices.spacing);
  out.origin = {0, -half, static_cast<float>(top)};
  std::vector<float> sums(slices.centres.size() * n);  // [D, H]: mean attenuation along the columns
  for (std::size_t line = 0; line < sums.size(); ++line) {
    float sum = 0;
    for (std::size_t c = 0; c < n; ++c)
      sum += std::max(0.0f, static_cast<float>(slices.stored[line * n + c] + study.scanner.intercept) + 1000);
    sums[line] = sum / static_cast<float>(n);
  }
  out.stored.resize(static_cast<std::size_t>(out.rows) * n);
  std::size_t k = slices.centres.size() - 1;
  for (std::size_t r = 0; r < static_cast<std::size_t>(out.rows); ++r) {
    const auto z = static_cast<float>(top - static_cast<double>(r) * slices.spacing);
    while (k > 1 && slices.centres[k - 1].z > z) --k;
    const float t =
        std::clamp((z - slices.centres[k - 1].z) / (slices.centres[k].z - slices.centres[k - 1].z), 0.0f, 1.0f);
    for (std::size_t c = 0; c < n; ++c) {
      const float value = (1 - t) * sums[(k - 1) * n + c] + t * sums[k * n + c];
      out.stored[r * n + c] =
          static_cast<std::int16_t>(std::lround(std::min(1.2f * value, 3000.0f)) - 500 - study.scanner.intercept);
    }
  }
  return out;
}

Drawn draw_series(const Options& options, std::int64_t index, SeriesKind kind) {
  const StudyPlan study = plan_study(options, index);
  const Slices slices = render(study, plan_series(options, study, kind), true);
  Drawn drawn{.lesions = slices.lesions};
  study::SliceStack& stack = drawn.stack;
  stack.height = stack.width = slices.matrix;
  stack.step_w = {-slices.step_w.x, -slices.step_w.y, slices.step_w.z};
  stack.step_h = {-slices.step_h.x, -slices.step_h.y, slices.step_h.z};
  const float half = 0.5f * static_cast<float>(slices.matrix - 1);
  for (const auto& centre : slices.centres) {
    const Point first = plus(plus(centre, -half, slices.step_h), -half, slices.step_w);
    stack.origins.push_back({-first.x, -first.y, first.z});
  }
  for (const auto stored : slices.stored) stack.voxels.push_back(static_cast<float>(stored + study.scanner.intercept));
  if (study.scanner.pads) stack.padding = static_cast<float>(kStoredPadding + study.scanner.intercept);
  return drawn;
}

const std::vector<std::string>& lesion_kinds() {
  static const std::vector<std::string> names{"parenchymal",  "intraventricular", "subdural", "epidural",
                                              "subarachnoid", "fracture",         "mass"};
  return names;
}

}  // namespace strata::phantom
