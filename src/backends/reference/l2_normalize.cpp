// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/l2_normalize.hpp"

#include <algorithm>
#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void l2_normalize(const ops::L2Normalize& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]), norms;
  const auto [count, width] = rows_of(in[0].shape());
  for (std::int64_t r = 0; r < count; ++r) {
    const auto row = x.begin() + r * width;
    double squares = 0;
    for (std::int64_t c = 0; c < width; ++c) squares += row[c] * row[c];
    const double norm = std::sqrt(squares);
    for (std::int64_t c = 0; c < width; ++c) row[c] /= std::max(norm, op.epsilon);
    norms.push_back(norm);
  }
  store(out[0], x);
  store(out[1], norms);
}

void l2_normalize_backward(const ops::L2NormalizeBackward& op, Inputs in, Outputs out, Context&) {
  const Values y = load(in[0]), norms = load(in[1]);
  Values dy = load(in[2]);
  const auto [count, width] = rows_of(in[0].shape());
  for (std::int64_t r = 0; r < count; ++r) {
    const double norm = norms[at(r)];
    const bool clamped = norm < op.epsilon;
    double dot = 0;
    for (std::int64_t i = r * width; i < (r + 1) * width; ++i) dot += y[at(i)] * dy[at(i)];
    for (std::int64_t i = r * width; i < (r + 1) * width; ++i)
      dy[at(i)] = clamped ? dy[at(i)] / op.epsilon : (dy[at(i)] - y[at(i)] * dot) / norm;
  }
  store(out[0], dy);
}

}  // namespace

void register_l2_normalize(KernelTable& table) {
  table.add<ops::L2Normalize>("reference", l2_normalize, floating);
  table.add<ops::L2NormalizeBackward>("reference", l2_normalize_backward, floating);
}

}  // namespace strata::reference
