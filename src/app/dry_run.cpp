// SPDX-License-Identifier: Apache-2.0
#include "app/dry_run.hpp"

#include <fmt/format.h>

namespace strata::app {
namespace {

constexpr double kMib = 1024.0 * 1024.0;
constexpr double kUsualShare = 0.4;  // of a stated peak, that a well-fed training reaches

std::string counted(double value, const char* unit) {
  constexpr const char* kScales[] = {"", " k", " M", " G", " T", " P", " E"};
  std::size_t scale = 0;
  for (; value >= 1000 && scale + 1 < std::size(kScales); ++scale) value /= 1000;
  return fmt::format("{:.4g}{}{}", value, scale == 0 ? " " : kScales[scale], unit);
}

std::string duration(double seconds) {
  if (seconds < 120) return fmt::format("{:.2g} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{:.1f} minutes", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.1f} hours", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

std::string parameters(const Rehearsal& r) {
  std::string text = fmt::format("{:24}{:>16}{:>16}\n", "parameters", "trained", "frozen");
  std::int64_t trained = 0, frozen = 0;
  for (const auto& tower : r.towers) {
    text += fmt::format("  {:22}{:>16}{:>16}\n", tower.name, tower.trained, tower.frozen);
    trained += tower.trained;
    frozen += tower.frozen;
  }
  return text + fmt::format("  {:22}{:>16}{:>16}\n", "all", trained, frozen);
}

std::string memory(const Rehearsal& r, int ranks) {
  std::string text = fmt::format("memory of {}, MiB\n", ranks == 1 ? "the rank" : "each rank");
  for (std::size_t i = 0; i < kMemoryKinds; ++i)
    text += fmt::format("  {:22}{:>16.1f}\n", name_of(static_cast<MemoryKind>(i)),
                        static_cast<double>(r.memory.peak_by_kind[i]) / kMib);
  text += fmt::format("  {:22}{:>16.1f}\n", "peak", static_cast<double>(r.memory.peak) / kMib);
  return text + fmt::format("  {:22}{:>16.1f}   on the host, for scans that wait\n", "loader",
                            static_cast<double>(r.input_bytes) / kMib);
}

std::string step(const RunConfig& run, const Rehearsal& r, int ranks) {
  std::string text = fmt::format(
      "a step\n  {} studies of {} scan{} ({} tokens each), {} text{} of at most {} pieces\n"
      "  {} micro-batch{} on {} rank{}, {} round{}: {}\n",
      run.train.batch, r.scans, r.scans == 1 ? "" : "s", r.tokens_a_scan, run.text.parts.size(),
      run.text.parts.size() == 1 ? "" : "s", r.pieces, r.micro_batches, r.micro_batches == 1 ? "" : "es", ranks,
      ranks == 1 ? "" : "s", r.rounds, r.rounds == 1 ? "" : "s",
      r.rounds == 1 ? "each forward pass is done once" : "forward passes of all but one round are done twice");
  text += fmt::format("  {} ({} executed)\n", counted(r.step_flops(), "FLOP"), counted(r.executed_flops, "FLOP"));
  return text;
}

std::string time(const RunConfig& run, const Rehearsal& r) {
  if (run.peak_tflops <= 0) return "time: peak_tflops=… of all ranks gives an estimate\n";
  const double best = r.executed_flops / (run.peak_tflops * 1e12), usual = best / kUsualShare;
  std::string text = fmt::format("time at {:g} TFLOP/s, and at {:.0f} % of it\n  a step: {} … {}\n", run.peak_tflops,
                                 100 * kUsualShare, duration(best), duration(usual));
  const auto steps = static_cast<double>(run.train.steps);
  if (run.train.steps > 0)
    text += fmt::format("  {} steps: {} … {}\n", run.train.steps, duration(best * steps), duration(usual * steps));
  else
    text += fmt::format("  {:g} epochs: {} … {} for each thousand studies in the sets\n", run.train.epochs,
                        duration(best * run.train.epochs * 1000 / static_cast<double>(run.train.batch)),
                        duration(usual * run.train.epochs * 1000 / static_cast<double>(run.train.batch)));
  return text;
}

}  // namespace

std::string dry_run_text(const RunConfig& run, const Rehearsal& r, int ranks) {
  std::string text = fmt::format("{}, {}, on {} rank{}\n", r.backend, name_of(run.dtype), ranks, ranks == 1 ? "" : "s");
  text += parameters(r) + memory(r, ranks) + step(run, r, ranks) + time(run, r);
  for (const auto& note : r.notes) text += fmt::format("note: {}\n", note);
  return text;
}

void print_dry_run(const RunConfig& run, const std::string& resolved, int ranks, std::int64_t scans) {
  fmt::print("{}\n", resolved);
  fmt::print("{}", dry_run_text(run, rehearse(run, {.ranks = ranks, .scans = scans}), ranks));
}

}  // namespace strata::app
