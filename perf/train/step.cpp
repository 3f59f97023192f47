// SPDX-License-Identifier: Apache-2.0
//
// Times training steps of a HLIP encoder on the cpu backend and prints JSON, beside perf/peer/step_torch.py:
//   perf_train [--variant NAME] [--scans N] [--threads N] [--repeats N] [--patch-dropout P]
//              [--checkpointing none|selective|full]
// One study of N scans; loss = sum(embedding · r); AdamW over all parameters; no drop path. FLOPs by formula
// (perf/README.md), the patch embedding's input without gradient. Ceiling: the best of several f32 products of
// 2048 × 2048 × 2048 through the same backend, before and after the steps. Prints, never judges.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backends/cpu/cpu.hpp"
#include "backends/reference/reference.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/optimizer.hpp"

namespace strata {
namespace {

struct Options {
  std::string variant = "vit_base_multiscan_h2_token1176", checkpointing = "none";
  std::int64_t scans = 1;
  int threads = 0, repeats = 5;
  double patch_dropout = 0;
};

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double load_average() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

Tensor wave(const Context& ctx, const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1e-3f * static_cast<float>(i * 2654435761u % 1000u);
  return ctx.tensor(values, shape);
}

double matmul_ceiling(Context& ctx) {
  constexpr std::int64_t kSize = 2048;
  const Tensor a = wave(ctx, {kSize, kSize}), b = wave(ctx, {kSize, kSize}), c = wave(ctx, {kSize, kSize});
  double best = 1e9;
  for (int i = 0; i < 6; ++i) {
    const auto begin = Clock::now();
    ops::run_into(ctx, ops::Matmul{}, {a, b}, {c});
    best = std::min(best, since(begin));
  }
  return 2.0 * kSize * kSize * kSize / best;
}

autograd::Checkpointing parse_checkpointing(const std::string& name) {
  if (name == "selective") return autograd::Checkpointing::selective;
  return name == "full" ? autograd::Checkpointing::full : autograd::Checkpointing::none;
}

struct Measured {
  std::vector<double> forward, backward, update, step;
  double forward_flops = 0, embed_flops = 0;
  std::int64_t parameters = 0, peak = 0;
};

Measured measure(Context& ctx, const Options& options) {
  auto config = models::hierarchical_vit3d_variant(options.variant);
  config.patch_dropout = options.patch_dropout;
  models::HlipVisualEncoder model(ctx, DType::f32, config);
  nn::initialise(ctx, model, 1);
  optim::Optimizer optimizer({.beta2 = 0.95, .eps = 1e-6}, model.trainable_parameters());
  const Tensor cotangent = wave(ctx, {1, config.joint_width});
  models::StudyBatch batch;
  batch.scans = wave(ctx, {options.scans, 1, config.image[0], config.image[1], config.image[2]});
  batch.study_offsets = {0, options.scans};
  batch.ordinals = {0};

  Measured measured;
  for (const auto& parameter : model.trainable_parameters()) measured.parameters += parameter->spec().shape.numel();
  for (int i = 0; i < options.repeats + 1; ++i) {
    ctx.backend().reset_peak();
    const auto begin = Clock::now();
    autograd::Tape tape(ctx, {.checkpointing = parse_checkpointing(options.checkpointing)});
    const auto embedding = model.forward(tape, batch);
    const auto loss =
        tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {embedding, tape.constant(cotangent)})});
    const double forward = since(begin);
    tape.backward(loss);
    const double backward = since(begin) - forward;
    optimizer.step(ctx, {.lr = 1e-5, .weight_decay = 0.2});
    optimizer.clear_gradients();
    const double step = since(begin);
    if (i == 0) continue;  // to warm up
    measured.forward.push_back(forward);
    measured.backward.push_back(backward);
    measured.update.push_back(step - forward - backward);
    measured.step.push_back(step);
    measured.peak = std::max(measured.peak, ctx.backend().memory().peak);
  }
  autograd::Tape tape(ctx, {.record = false});
  const auto stages = model.chain(batch, *model.layout(tape, batch));
  measured.forward_flops = models::forward_flops(stages);
  measured.embed_flops = stages.front().forward_flops;
  return measured;
}

nlohmann::json report(const Options& options, const Backend& backend, const Measured& m, double before, double after) {
  const double forward = median(m.forward), backward = median(m.backward);
  const double total = 3 * m.forward_flops - m.embed_flops;  // no gradient for the voxels
  return {{"machine",
           {{"cpu", cpu_features().model},
            {"isa", name_of(cpu_isa(backend))},
            {"onednn", onednn_version()},
            {"load", load_average()}}},
          {"settings",
           {{"variant", options.variant},
            {"scans", options.scans},
            {"threads", cpu_threads(backend)},
            {"repeats", options.repeats},
            {"patch_dropout", options.patch_dropout},
            {"checkpointing", options.checkpointing},
            {"dtype", "f32"}}},
          {"parameters", m.parameters},
          {"seconds",
           {{"forward", forward},
            {"backward", backward},
            {"optimizer", median(m.update)},
            {"step", median(m.step)},
            {"fastest_step", *std::ranges::min_element(m.step)}}},
          {"flops", {{"forward", m.forward_flops}, {"step", total}}},
          {"gflops_per_second",
           {{"forward", m.forward_flops / forward / 1e9}, {"forward_backward", total / (forward + backward) / 1e9}}},
          {"mm_f32_gflops_per_second", {{"before", before / 1e9}, {"after", after / 1e9}}},
          {"share_of_mm", total / (forward + backward) / std::max(before, after)},
          {"peak_tensor_bytes", m.peak}};
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("times training steps of a HLIP encoder");
  app.add_option("--variant", options.variant);
  app.add_option("--scans", options.scans)->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads)->check(CLI::NonNegativeNumber);
  app.add_option("--repeats", options.repeats)->check(CLI::PositiveNumber);
  app.add_option("--patch-dropout", options.patch_dropout)->check(CLI::Range(0.0, 0.99));
  app.add_option("--checkpointing", options.checkpointing)->check(CLI::IsMember({"none", "selective", "full"}));
  CLI11_PARSE(app, argc, argv);

  const auto backend = make_cpu_backend({.threads = options.threads});
  const KernelTable reference = make_reference_table();
  KernelTable table = make_cpu_table();
  table.set_fallback(&reference);
  Context ctx(backend, table);
  const double before = matmul_ceiling(ctx);
  const Measured measured = measure(ctx, options);
  const double after = matmul_ceiling(ctx);
  fmt::print("{}\n", report(options, *backend, measured, before, after).dump(2));
  return 0;
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  try {
    return strata::run(argc, argv);
  } catch (const strata::Error& error) {
    fmt::print(stderr, "{}", error.block());
    return error.exit_code();
  }
}
