// SPDX-License-Identifier: Apache-2.0
#include "app/bench_composition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace strata::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kGains = 5;  // shown one by one

double sum(const std::vector<CompositionRow>& rows, double CompositionRow::*of) {
  double total = 0;
  for (const auto& row : rows) total += row.*of;
  return total;
}

// Shapes of an op put together; most time first.
std::vector<CompositionRow> by_op(const std::vector<CompositionRow>& rows) {
  std::map<std::string, CompositionRow> ops;
  for (const auto& row : rows) {
    CompositionRow& op = ops[row.op + '\n' + row.kernel];
    op.op = row.op;
    op.kernel = row.kernel;
    op.calls += row.calls;
    op.seconds += row.seconds;
    op.ideal += row.ideal;
  }
  std::vector<CompositionRow> all;
  for (const auto& [key, op] : ops) all.push_back(op);
  std::ranges::sort(all, std::ranges::greater{}, &CompositionRow::seconds);
  return all;
}

std::string line(std::string_view name, std::string_view kernel, double calls, double seconds, double ideal,
                 double step) {
  return fmt::format("  {:30}{:18}{:>7}{:>10.3f}{:>7.1f}%{:>10.3f}{:>10.3f}\n", name, kernel,
                     calls > 0 ? fmt::format("{:.0f}", calls) : "", 1e3 * seconds, 100 * seconds / step, 1e3 * ideal,
                     1e3 * (seconds - ideal));
}

}  // namespace

double Composition::inside() const { return sum(rows, &CompositionRow::seconds); }
double Composition::ideal() const { return sum(rows, &CompositionRow::ideal); }
double Composition::gelu() const { return sum(rows, &CompositionRow::gelu); }

Composition compose(const std::vector<Profile::Row>& rows, int steps, double step_seconds, double bandwidth) {
  Composition result{.step = step_seconds, .bandwidth = bandwidth, .rows = {}};
  for (const auto& row : rows) {
    const double gelu = row.gelu_bytes / bandwidth, ideal = row.alone > 0 ? row.alone + gelu : row.bytes / bandwidth;
    result.rows.push_back({row.op, row.kernel, row.shapes, static_cast<double>(row.calls) / steps, row.seconds / steps,
                           ideal / steps, gelu / steps});
  }
  std::ranges::sort(result.rows, std::ranges::greater{}, &CompositionRow::gain);
  return result;
}

Json json_of(const Composition& c) {
  Json rows = Json::array();
  for (const auto& row : c.rows)
    rows.push_back({{"op", row.op},
                    {"kernel", row.kernel},
                    {"shapes", row.shapes},
                    {"calls", row.calls},
                    {"seconds", row.seconds},
                    {"ideal", row.ideal}});
  return {{"step", c.step},
          {"copy_gigabytes_per_second", c.bandwidth / 1e9},
          {"ideal", c.ideal()},
          {"ideal_without_gelu", c.ideal() - c.gelu()},
          {"inside_ops", c.inside()},
          {"share", c.share()},
          {"rows", rows}};
}

std::string text_of(const Composition& c) {
  std::string text = fmt::format("\nwhere the step's time goes\n  {:30}{:18}{:>7}{:>10}{:>8}{:>10}{:>10}\n", "op",
                                 "kernel", "calls", "ms", "share", "ideal ms", "gain ms");
  for (const auto& op : by_op(c.rows)) text += line(op.op, op.kernel, op.calls, op.seconds, op.ideal, c.step);
  text += line("outside of ops", "", 0, c.step - c.inside(), 0, c.step);
  text += line("step", "", 0, c.step, c.ideal(), c.step);
  text += fmt::format(
      "  composed ceiling {:.3f} ms, the step reaches {:.1f}% of it ({:.1f}% were GELU within products free); copies "
      "{:.0f} "
      "GB/s\n",
      1e3 * c.ideal(), 100 * c.share(), 100 * (c.ideal() - c.gelu()) / c.step, c.bandwidth / 1e9);
  text += "  the next gains\n";
  for (std::size_t i = 0; i < std::min(kGains, c.rows.size()); ++i) {
    const auto& row = c.rows[i];
    text += fmt::format("    {:8.3f} ms  {} x {:.0f}  {}\n", 1e3 * row.gain(), row.op, row.calls, row.shapes);
  }
  return text;
}

}  // namespace strata::app
