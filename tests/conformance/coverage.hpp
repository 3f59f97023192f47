// SPDX-License-Identifier: Apache-2.0
//
// What the cases cover: one row an op, counted from the registered cases and the kernel tables, so no second list can
// fall behind.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/conformance/backends.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {

struct Coverage {
  std::string op;
  int cases = 0, with_gradient = 0, timings = 0;
  bool in_reference = false;
  std::map<std::string, int> kernels;  // backend -> entries
  std::map<std::string, int> skipped;  // backend -> (case, type) pairs it leaves to its fallback
};

std::vector<Coverage> count_coverage(const std::vector<OpCase>& cases, const std::deque<TestBackend>& backends);
std::string print(const std::vector<Coverage>& rows, const std::deque<TestBackend>& backends);

}  // namespace strata::conformance
