// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/cross_entropy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

bool serves_logits(Specs inputs) { return is_floating(inputs[0].dtype) && inputs[1].dtype == DType::i64; }
bool serves_forward(const ops::CrossEntropy&, Specs inputs) { return serves_logits(inputs); }
bool serves_backward(const ops::CrossEntropyBackward&, Specs inputs) { return serves_logits(inputs); }

double log_sum_exp(const double* row, std::int64_t width) {
  const double largest = *std::max_element(row, row + width);
  if (std::isinf(largest)) return largest;
  double sum = 0;
  for (std::int64_t k = 0; k < width; ++k) sum += std::exp(row[k] - largest);
  return largest + std::log(sum);
}

void cross_entropy(const ops::CrossEntropy& op, Inputs in, Outputs out, Context&) {
  const Values logits = load(in[0]);
  const auto target = load_integers(in[1]);
  const auto [count, width] = rows_of(in[0].shape());
  Values losses, lses;
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t t = target[at(r)];
    STRATA_CHECK(t == op.ignore || (t >= 0 && t < width), data, ops::CrossEntropy::kName,
                 fmt::format("row {} has target {}, but there are {} classes", r, t, width));
    const double* row = logits.data() + r * width;
    lses.push_back(log_sum_exp(row, width));
    losses.push_back(t == op.ignore ? 0 : lses.back() - row[t]);
  }
  store(out[0], losses);
  store(out[1], lses);
}

void cross_entropy_backward(const ops::CrossEntropyBackward& op, Inputs in, Outputs out, Context&) {
  Values logits = load(in[0]);
  const auto target = load_integers(in[1]);
  const Values lse = load(in[2]), dloss = load(in[3]);
  const auto [count, width] = rows_of(in[0].shape());
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t t = target[at(r)];
    double* row = logits.data() + r * width;
    for (std::int64_t k = 0; k < width; ++k)
      row[k] = t == op.ignore ? 0 : dloss[at(r)] * (std::exp(row[k] - lse[at(r)]) - (k == t ? 1 : 0));
  }
  store(out[0], logits);
}

}  // namespace

void register_cross_entropy(KernelTable& table) {
  table.add<ops::CrossEntropy>("reference", cross_entropy, serves_forward);
  table.add<ops::CrossEntropyBackward>("reference", cross_entropy_backward, serves_backward);
}

}  // namespace strata::reference
