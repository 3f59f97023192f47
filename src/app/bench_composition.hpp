// SPDX-License-Identifier: Apache-2.0
//
// The composed ceiling of a step (perf/README.md): what it would take if every product ran as fast as the plain product
// alone, attention as fast as alone, and everything else moved its inputs and outputs once as fast as memory copies.
// Made of a profile of real steps, so nothing is left out; what it takes longer than that, op by op, is what can be
// gained.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/bench_profile.hpp"

namespace strata::app {

struct CompositionRow {
  std::string op, kernel, shapes;
  double calls = 0, seconds = 0, ideal = 0;  // of one step
  double gelu = 0;                           // part of `ideal`: GELU of a product, at the rate of copies
  double gain() const { return seconds - ideal; }
};

struct Composition {
  double step = 0;                   // seconds of one step, not profiled
  double bandwidth = 0;              // of copies, bytes a second
  std::vector<CompositionRow> rows;  // by op and shapes, the largest gain first

  double inside() const;  // seconds of all ops
  double ideal() const;
  double gelu() const;
  double share() const { return ideal() / step; }
};

// Rows of `steps` profiled steps, made by shape and with `alone`.
Composition compose(const std::vector<Profile::Row>& rows, int steps, double step_seconds, double bandwidth);

nlohmann::ordered_json json_of(const Composition& composition);
std::string text_of(const Composition& composition);

}  // namespace strata::app
