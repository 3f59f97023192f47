// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/sigmoid_cross_entropy.hpp"

#include <fmt/format.h>

#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

using ops::SigmoidCrossEntropy, ops::SigmoidCrossEntropyBackward;

bool serves_logits(Specs inputs) { return is_floating(inputs[0].dtype) && inputs[1].dtype == DType::i64; }
bool serves_forward(const SigmoidCrossEntropy&, Specs inputs) { return serves_logits(inputs); }
bool serves_backward(const SigmoidCrossEntropyBackward&, Specs inputs) { return serves_logits(inputs); }

double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }

void sigmoid_cross_entropy(const SigmoidCrossEntropy&, Inputs in, Outputs out, Context&) {
  const Values logits = load(in[0]);
  const auto target = load_integers(in[1]);
  const auto [count, width] = rows_of(in[0].shape());
  Values losses;
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t t = target[at(r)];
    STRATA_CHECK(t >= -1 && t < width, data, SigmoidCrossEntropy::kName,
                 fmt::format("row {} has target {}, but there are {} columns", r, t, width));
    const double* row = logits.data() + r * width;
    double sum = 0;
    for (std::int64_t k = 0; k < width; ++k) sum += softplus(k == t ? -row[k] : row[k]);
    losses.push_back(sum);
  }
  store(out[0], losses);
}

void sigmoid_cross_entropy_backward(const SigmoidCrossEntropyBackward&, Inputs in, Outputs out, Context&) {
  Values logits = load(in[0]);
  const auto target = load_integers(in[1]);
  const Values dloss = load(in[2]);
  const auto [count, width] = rows_of(in[0].shape());
  for (std::int64_t r = 0; r < count; ++r) {
    double* row = logits.data() + r * width;
    for (std::int64_t k = 0; k < width; ++k)
      row[k] = dloss[at(r)] * (1 / (1 + std::exp(-row[k])) - (k == target[at(r)] ? 1 : 0));
  }
  store(out[0], logits);
}

}  // namespace

void register_sigmoid_cross_entropy(KernelTable& table) {
  table.add<SigmoidCrossEntropy>("reference", sigmoid_cross_entropy, serves_forward);
  table.add<SigmoidCrossEntropyBackward>("reference", sigmoid_cross_entropy_backward, serves_backward);
}

}  // namespace strata::reference
