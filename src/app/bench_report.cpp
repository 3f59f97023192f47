// SPDX-License-Identifier: Apache-2.0
#include "app/bench_report.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "build_info.hpp"

namespace strata::app {
namespace {

using Json = nlohmann::ordered_json;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Member>
std::vector<double> all(const std::vector<StepSeconds>& steps, const Member& member) {
  std::vector<double> values;
  for (const auto& step : steps) values.push_back(std::invoke(member, step));
  return values;
}

std::vector<double> totals_of(const BenchResult& r) {
  return r.whole.empty() ? all(r.steps, &StepSeconds::total) : r.whole;
}

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::optional<Ceiling> best_of(const BenchResult& r) {
  if (!r.before || !r.after) return r.before;
  return r.before->flops_per_second > r.after->flops_per_second ? r.before : r.after;
}

Json by_kind(const BytesByKind& bytes) {
  Json object;
  for (std::size_t i = 0; i < kMemoryKinds; ++i) object[std::string(name_of(static_cast<MemoryKind>(i)))] = bytes[i];
  return object;
}

Json machine_of(const BenchResult& r) {
  Json machine;
  for (const auto& fact : cpu_facts()) machine[fact.name] = fact.value;
  if (!r.host)
    for (const auto& fact : cuda_facts()) machine[fact.name] = fact.value;
  machine["load average"] = r.load;
  return machine;
}

Json build_of() {
  return {{"version", build_info::kVersion},
          {"commit", build_info::kCommit},
          {"type", build_info::kBuildType},
          {"compiler", build_info::kCompiler},
          {"sanitizer", build_info::kSanitizer.empty() ? "none" : build_info::kSanitizer}};
}

Json settings_of(const BenchOptions& o, const BenchResult& r) {
  return {{"backend", o.backend.empty() ? std::string(preferred_backend()) : o.backend},
          {"variant", o.variant},
          {"studies", o.studies},
          {"scans", o.scans},
          {"patch_tokens", r.prediction.patch_tokens},
          {"dtype", o.dtype},
          {"threads", r.threads},
          {"patch_dropout", o.patch_dropout},
          {"checkpointing", o.checkpointing},
          {"optimizer", o.optimizer},
          {"exact", !o.inexact},
          {"repeats", static_cast<int>(totals_of(r).size())},
          {"warmup", o.warmup}};
}

Json memory_of(const BenchResult& r) {
  Json memory{{"predicted_peak", r.prediction.memory.peak},
              {"predicted_by_kind", by_kind(r.prediction.memory.peak_by_kind)},
              {"predicted_reserved", r.prediction.memory.reserved}};
  if (r.steps.empty()) return memory;
  memory["peak"] = r.memory.peak;
  memory["by_kind"] = by_kind(r.memory.peak_by_kind);
  memory["reserved"] = r.memory.reserved;
  memory["peak_rss"] = r.peak_rss;
  return memory;
}

double median_of(const BenchResult& r, double StepSeconds::*part) { return median(all(r.steps, part)); }

// GFLOP/s by formula.
Json rates_of(const BenchResult& r) {
  const double forward = median_of(r, &StepSeconds::forward), backward = median_of(r, &StepSeconds::backward);
  const auto& p = r.prediction;
  return {{"forward", p.forward_flops / forward / 1e9},
          {"backward", (p.step_flops - p.forward_flops) / backward / 1e9},
          {"forward_backward", p.step_flops / (forward + backward) / 1e9},
          {"step", p.step_flops / step_seconds(r) / 1e9}};
}

// Of parameters, gradients and moments, by formula; bytes a second.
double optimizer_rate(const BenchResult& r) {
  return r.prediction.optimizer_bytes / median_of(r, &StepSeconds::update);
}

// Rates over the ceiling; the optimizer's over that of copies.
Json shares_of(const BenchResult& r) {
  const Json rates = rates_of(r);
  Json shares;
  for (const auto& [part, rate] : rates.items()) shares[part] = rate.get<double>() * 1e9 / best_of(r)->flops_per_second;
  shares["optimizer"] = optimizer_rate(r) / r.bandwidth;
  return shares;
}

Json seconds_of(const BenchResult& r) {
  const auto total = totals_of(r);
  return {{"forward", median_of(r, &StepSeconds::forward)},
          {"backward", median_of(r, &StepSeconds::backward)},
          {"clipping", median_of(r, &StepSeconds::clipping)},
          {"optimizer", median_of(r, &StepSeconds::update)},
          {"step", median(total)},
          {"fastest_step", *std::ranges::min_element(total)},
          {"steps", total}};
}

Json ceiling_of(const BenchResult& r) {
  const Ceiling best = *best_of(r);
  return {{"gflops_per_second", best.flops_per_second / 1e9},
          {"before", r.before->flops_per_second / 1e9},
          {"after", r.after ? r.after->flops_per_second / 1e9 : 0.0},
          {"m", best.m},
          {"k", best.k},
          {"n", best.n},
          {"copy_gigabytes_per_second", r.bandwidth / 1e9}};
}

Json profile_of(const BenchResult& r) {
  Json rows = Json::array();
  const auto steps = static_cast<double>(r.profiled_steps);
  for (const auto& row : r.profile)
    rows.push_back({{"op", row.op},
                    {"kernel", row.kernel},
                    {"shapes", row.shapes},
                    {"calls", static_cast<double>(row.calls) / steps},
                    {"seconds", row.seconds / steps},
                    {"share", row.seconds / r.profiled_seconds},
                    {"gigabytes_per_second", row.bytes / row.seconds / 1e9},
                    {"gflops_per_second", row.flops / row.seconds / 1e9}});
  return rows;
}

std::string memory_lines(const BenchResult& r) {
  const bool measured = !r.steps.empty();
  std::string text = fmt::format("\n{:14}{:>14}{:>14}\n", "memory, MiB", "predicted", measured ? "measured" : "");
  const auto line = [&](std::string_view name, std::int64_t predicted, std::int64_t seen) {
    text += fmt::format("  {:12}{:>14.1f}", name, mib(predicted));
    text += measured ? fmt::format("{:>14.1f}\n", mib(seen)) : std::string("\n");
  };
  for (std::size_t i = 0; i < kMemoryKinds; ++i)
    line(name_of(static_cast<MemoryKind>(i)), r.prediction.memory.peak_by_kind[i], r.memory.peak_by_kind[i]);
  line("peak", r.prediction.memory.peak, r.memory.peak);
  line("reserved", r.prediction.memory.reserved, r.memory.reserved);
  if (measured) text += fmt::format("  {:12}{:>28.1f}\n", "process", mib(r.peak_rss));
  return text;
}

std::string time_lines(const BenchResult& r) {
  const Json seconds = seconds_of(r), rates = rates_of(r), shares = r.before ? shares_of(r) : Json::object();
  std::string text = fmt::format("\n{:14}{:>14}{:>14}{:>14}\n", "median of " + std::to_string(totals_of(r).size()),
                                 "seconds", "TFLOP/s", r.before ? "of ceiling" : "");
  for (const char* part : {"forward", "backward", "clipping", "optimizer", "step"}) {
    text += fmt::format("  {:12}{:>14.6f}", part, seconds[part].get<double>());
    text += rates.contains(part) ? fmt::format("{:>14.3f}", rates[part].get<double>() / 1e3) : fmt::format("{:14}", "");
    if (shares.contains(part)) text += fmt::format("{:>13.1f}%", 100 * shares[part].get<double>());
    text += part == std::string_view("optimizer") ? fmt::format("   {:.1f} GB/s, of copies\n", optimizer_rate(r) / 1e9)
                                                  : "\n";
  }
  if (const auto best = best_of(r))
    text += fmt::format("  {:12}{:>28.3f}   product [{}, {}] x [{}, {}]; copies {:.1f} GB/s\n", "ceiling",
                        best->flops_per_second / 1e12, best->m, best->k, best->k, best->n, r.bandwidth / 1e9);
  return text;
}

std::string profile_lines(const BenchResult& r) {
  std::size_t op = 2, kernel = 6;
  for (const auto& row : r.profile) op = std::max(op, row.op.size()), kernel = std::max(kernel, row.kernel.size());
  std::string text = fmt::format("\n{:{}}  {:{}}{:>8}{:>10}{:>8}{:>9}{:>10}\n", "op", op, "kernel", kernel, "calls",
                                 "seconds", "share", "GB/s", "GFLOP/s");
  const auto steps = static_cast<double>(r.profiled_steps);
  double inside = 0;
  for (const auto& row : r.profile) {
    inside += row.seconds;
    text += fmt::format("{:{}}  {:{}}{:>8.0f}{:>10.4f}{:>7.1f}%{:>9.1f}", row.op, op, row.kernel, kernel,
                        static_cast<double>(row.calls) / steps, row.seconds / steps,
                        100 * row.seconds / r.profiled_seconds, row.bytes / row.seconds / 1e9);
    text += row.flops > 0 ? fmt::format("{:>10.1f}", row.flops / row.seconds / 1e9) : fmt::format("{:10}", "");
    text += row.shapes.empty() ? "\n" : "   " + row.shapes + "\n";
  }
  text += fmt::format("{:{}}{:>20.4f}{:>7.1f}%\n", "outside of kernels", op + kernel,
                      (r.profiled_seconds - inside) / steps, 100 * (1 - inside / r.profiled_seconds));
  return text;
}

}  // namespace

double step_seconds(const BenchResult& r) { return median(totals_of(r)); }

Json json_of(const BenchOptions& o, const BenchResult& r) {
  Json report{{"program", "strata bench"},
              {"machine", machine_of(r)},
              {"build", build_of()},
              {"settings", settings_of(o, r)},
              {"parameters", r.prediction.parameters},
              {"flops", {{"forward", r.prediction.forward_flops}, {"step", r.prediction.step_flops}}},
              {"memory", memory_of(r)}};
  if (!r.steps.empty()) {
    report["seconds"] = seconds_of(r);
    report["gflops_per_second"] = rates_of(r);
  }
  if (const auto best = best_of(r)) {
    report["ceiling"] = ceiling_of(r);
    report["share_of_ceiling"] = report["gflops_per_second"]["step"].get<double>() * 1e9 / best->flops_per_second;
    report["shares"] = shares_of(r);
  }
  if (!r.profile.empty()) report["profile"] = profile_of(r);
  if (r.composition) report["composition"] = json_of(*r.composition);
  return report;
}

std::string text_of(const BenchOptions& o, const BenchResult& r) {
  std::string text = fmt::format(
      "{}, {} stud{} of {} scans ({} patch tokens), {}, checkpointing {}, patch dropout {}, {} threads\n"
      "{:.1f} million parameters, {:.3f} TFLOP a step by formula\n",
      o.variant, o.studies, o.studies == 1 ? "y" : "ies", o.scans, r.prediction.patch_tokens, o.dtype, o.checkpointing,
      o.patch_dropout, r.threads, static_cast<double>(r.prediction.parameters) / 1e6, r.prediction.step_flops / 1e12);
  if (!r.steps.empty()) text += time_lines(r);
  text += memory_lines(r);
  if (!r.profile.empty()) text += profile_lines(r);
  if (r.composition) text += text_of(*r.composition);
  return text;
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

double load_average() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

}  // namespace strata::app
