// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

#include <algorithm>
#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void softmax(const ops::Softmax&, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  const auto [count, width] = rows_of(in[0].shape());
  for (std::int64_t r = 0; r < count; ++r) {
    const auto row = x.begin() + r * width;
    double largest = -INFINITY, sum = 0;
    for (std::int64_t k = 0; k < width; ++k) largest = std::max(largest, row[k]);
    for (std::int64_t k = 0; k < width; ++k) sum += row[k] = std::exp(row[k] - largest);
    for (std::int64_t k = 0; k < width; ++k) row[k] /= sum;
  }
  store(out[0], x);
}

void softmax_backward(const ops::SoftmaxBackward&, Inputs in, Outputs out, Context&) {
  const Values y = load(in[0]);
  Values dy = load(in[1]);
  const auto [count, width] = rows_of(in[0].shape());
  for (std::int64_t r = 0; r < count; ++r) {
    double dot = 0;
    for (std::int64_t k = r * width; k < (r + 1) * width; ++k) dot += y[at(k)] * dy[at(k)];
    for (std::int64_t k = r * width; k < (r + 1) * width; ++k) dy[at(k)] = y[at(k)] * (dy[at(k)] - dot);
  }
  store(out[0], dy);
}

}  // namespace

void register_softmax(KernelTable& table) {
  table.add<ops::Softmax>("reference", softmax, floating);
  table.add<ops::SoftmaxBackward>("reference", softmax_backward, floating);
}

}  // namespace strata::reference
