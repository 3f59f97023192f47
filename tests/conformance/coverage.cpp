// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/coverage.hpp"

#include <fmt/format.h>

#include "tests/conformance/checks.hpp"

namespace strata::conformance {

std::vector<Coverage> count_coverage(const std::vector<OpCase>& cases, const std::deque<TestBackend>& backends) {
  std::map<std::string, Coverage> rows;
  for (const auto& backend : backends)
    for (const auto* entry : backend.table.entries()) {
      ++rows[entry->op].kernels[backend.name];
      if (&backend == &backends.front()) rows[entry->op].in_reference = true;
    }
  for (const auto& c : cases) {
    auto& row = rows[c.op_name];
    ++(c.only_timed() ? row.timings : row.cases);
    if (c.only_timed()) continue;
    row.with_gradient += c.has_gradient() ? 1 : 0;
    for (const auto& backend : backends)
      for (const auto dtype : c.dtypes)
        if (!has_own_kernel(c, dtype, backend.table)) ++row.skipped[backend.name];
  }
  std::vector<Coverage> list;
  for (auto& [op, row] : rows) {
    row.op = op;
    list.push_back(std::move(row));
  }
  return list;
}

std::string print(const std::vector<Coverage>& rows, const std::deque<TestBackend>& backends) {
  std::string text = fmt::format("{:<24} {:>5} {:>9} {:>7}", "op", "cases", "gradients", "timings");
  for (const auto& backend : backends) text += fmt::format("  {:>10} {:>8}", backend.name, "skipped");
  text += '\n';
  const auto count = [](const std::map<std::string, int>& of, const std::string& name) {
    return of.contains(name) ? of.at(name) : 0;
  };
  for (const auto& row : rows) {
    text += fmt::format("{:<24} {:>5} {:>9} {:>7}", row.op, row.cases, row.with_gradient, row.timings);
    for (const auto& backend : backends)
      text += fmt::format("  {:>10} {:>8}", count(row.kernels, backend.name), count(row.skipped, backend.name));
    text += '\n';
  }
  return text +
         "(a backend's columns: kernels in its own table, and pairs of case and type that it leaves to its fallback, "
         "which are not run)\n";
}

}  // namespace strata::conformance
