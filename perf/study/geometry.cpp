// SPDX-License-Identifier: Apache-2.0
//
// Each step of an ingest profile alone, and whole profiles, on volumes of the sizes that hospitals have. One thread.
// GB/s: the f32 source once and the result once. perf/peer/geometry_numpy.py does the same with NumPy, SciPy and
// PyTorch.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>

#include "strata/study/profile.hpp"

namespace strata::study {
namespace {

// Soft tissue and bone in air, deterministic; spacing in mm.
Volume head(const Extents3& extents, const Vec3& spacing) {
  Volume v;
  v.geometry = {extents, {0, 0, 0}, {Vec3{0, 0, spacing[0]}, Vec3{0, -spacing[1], 0}, Vec3{-spacing[2], 0, 0}}};
  v.voxels.reserve(static_cast<std::size_t>(voxel_count(v.geometry)));
  const auto place = [](std::int64_t i, std::int64_t n) {
    return (static_cast<double>(i) + 0.5) / static_cast<double>(n) * 2 - 1;
  };
  std::uint32_t noise = 1;
  for (std::int64_t d = 0; d < extents[0]; ++d)
    for (std::int64_t h = 0; h < extents[1]; ++h)
      for (std::int64_t w = 0; w < extents[2]; ++w) {
        noise = noise * 1664525u + 1013904223u;
        const double r =
            std::hypot(place(h, extents[1]), place(w, extents[2]) * 1.2) + 0.1 * std::abs(place(d, extents[0]));
        const double tissue = r > 0.9 ? -1000 : r > 0.8 ? 900 : 35;
        v.voxels.push_back(static_cast<float>(std::floor(tissue + static_cast<double>(noise >> 27))));
      }
  return v;
}

const Extents3 kThick{28, 512, 512}, kThin{180, 256, 256};

void count_bytes(benchmark::State& state, const Volume& source, std::size_t result_bytes) {
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(source.voxels.size() * sizeof(float) + result_bytes));
}

template <class Step>
void run_step(benchmark::State& state, const Volume& source, const Step& step) {
  std::size_t bytes = 0;
  for (auto _ : state) bytes = step(source).voxels.size() * sizeof(float);
  count_bytes(state, source, bytes);
}

void run_profile(benchmark::State& state, const std::string& text, const Extents3& extents, const Vec3& spacing) {
  const Volume source = head(extents, spacing);
  const Profile profile = parse_profile(text);
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const StoredScan& scan : apply(profile, source, {})) bytes += scan.voxels.size();
  }
  count_bytes(state, source, bytes);
}

template <class Step>
void add_step(const std::string& name, const Extents3& extents, const Vec3& spacing, const Step& step) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    run_step(state, head(extents, spacing), step);
  })->Unit(benchmark::kMillisecond);
}

void add_profile(const std::string& name, const std::string& steps, const Extents3& extents, const Vec3& spacing) {
  const std::string text = "name: " + name + "\nsteps:\n" + steps;
  benchmark::RegisterBenchmark(("profile/" + name).c_str(), [=](benchmark::State& state) {
    run_profile(state, text, extents, spacing);
  })->Unit(benchmark::kMillisecond);
}

SliceStack tilted() {
  const Volume v = head(kThick, {5, 0.45, 0.45});
  SliceStack stack;
  stack.height = stack.width = 512;
  stack.step_h = v.geometry.steps[1];
  stack.step_w = v.geometry.steps[2];
  for (int d = 0; d < 28; ++d) stack.origins.push_back({0, -1.6 * d, 5.0 * d});
  stack.voxels = v.voxels;
  return stack;
}

void add_all() {
  const Vec3 thick{5, 0.45, 0.45}, thin{1, 1, 1};
  const auto all = [](Filter filter) { return std::array{filter, filter, filter}; };
  add_step("orient/RAS", kThick, thick, [](const Volume& v) { return orient(v, {"RAS"}); });
  add_step("orient/IPR", kThick, thick, [](const Volume& v) { return orient(v, {"IPR"}); });
  add_step("resize/linear", kThick, thick, [=](const Volume& v) {
    return resize(v, {{28, 256, 256}, all(Filter::linear)});
  });
  add_step("resize/area", kThin, thin, [=](const Volume& v) { return resize(v, {{96, 96, 96}, all(Filter::area)}); });
  add_step("resize/trilinear", kThin, thin, [=](const Volume& v) {
    return resize(v, {{112, 336, 336}, all(Filter::linear)});
  });
  add_step("resize/nearest", kThin, thin, [=](const Volume& v) {
    return resize(v, {{48, 224, 224}, all(Filter::nearest)});
  });
  add_step("spacing/cubic", kThick, thick, [=](const Volume& v) {
    return to_spacing(v, {{1, 1, 1}, all(Filter::cubic), Align::centers});
  });
  add_step("crop_foreground", kThick, thick, [](const Volume& v) { return crop_foreground(v, {0}); });
  add_step("window", kThick, thick, [](const Volume& v) { return windowed(v, {0, 80}); });
  benchmark::RegisterBenchmark("percentiles", [=](benchmark::State& state) {
    const Volume v = head(kThick, thick);
    for (auto _ : state) benchmark::DoNotOptimize(percentile_window(v, {}));
    count_bytes(state, v, 0);
  })->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("quantize/u8", [=](benchmark::State& state) {
    const Volume v = head(kThick, thick);
    for (auto _ : state) benchmark::DoNotOptimize(quantize(v, DType::u8).data());
    count_bytes(state, v, v.voxels.size());
  })->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("straighten", [](benchmark::State& state) {
    const SliceStack stack = tilted();
    std::size_t voxels = 0;
    for (auto _ : state) voxels = volume_of(stack).volume.voxels.size();
    state.SetBytesProcessed(state.iterations() *
                            static_cast<std::int64_t>((stack.voxels.size() + voxels) * sizeof(float)));
  })->Unit(benchmark::kMillisecond);

  const std::string plane = "  - own_plane: {axes: IPR}\n",
                    grid =
                        "  - pad_square: {}\n  - resize: {extents: [48, 256, 256], filter: [nearest, linear, linear]}\n"
                        "  - crop: {extents: [0, 224, 224]}\n";
  add_profile("brain_mri", plane + "  - percentiles: {low: 0.5, high: 99.5}\n" + grid, {24, 512, 512}, thick);
  add_profile("head_ct_1_window", plane + "  - windows: [{name: brain, low: 0, high: 80}]\n" + grid, kThick, thick);
  add_profile("head_ct_3_windows",
              plane +
                  "  - windows: [{name: a, low: 0, high: 80}, {name: b, low: -20, high: 180}, {name: c, low: -800, "
                  "high: 2000}]\n" +
                  grid,
              kThick, thick);
  add_profile(
      "chest_ct",
      "  - orient: {axes: SPL}\n  - spacing: {mm: [3, 1, 1]}\n  - windows: [{name: chest, low: -1150, high: 350}]\n"
      "  - pad: {extents: [112, 336, 336]}\n  - crop: {extents: [112, 336, 336]}\n",
      {300, 512, 512}, {1, 0.7, 0.7});
  add_profile(
      "head_ct_foundation",
      "  - orient: {axes: RAS}\n  - spacing: {mm: [1, 1, 1], filter: cubic, align: centers}\n  - crop_foreground: "
      "{above: 0}\n"
      "  - windows: [{name: head, channels: [{low: 0, high: 80}, {low: -20, high: 180}, {low: -800, high: 2000}]}]\n"
      "  - resize: {extents: [96, 96, 96], filter: area}\n",
      kThick, thick);
}

}  // namespace
}  // namespace strata::study

int main(int argc, char** argv) {
  strata::study::add_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
