// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void layer_norm(const ops::LayerNorm& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  const Tensor gamma_given = ops::optional_tensor(in, 1), beta_given = ops::optional_tensor(in, 2);
  const auto [count, width] = rows_of(in[0].shape());
  const Values gamma = gamma_given.defined() ? load(gamma_given) : Values(at(width), 1);
  const Values beta = beta_given.defined() ? load(beta_given) : Values(at(width), 0);
  Values means, rstds;
  for (std::int64_t r = 0; r < count; ++r) {
    const auto row = x.begin() + r * width;
    double mean = 0, variance = 0;
    for (std::int64_t c = 0; c < width; ++c) mean += row[c] / static_cast<double>(width);
    for (std::int64_t c = 0; c < width; ++c) variance += (row[c] - mean) * (row[c] - mean) / static_cast<double>(width);
    const double rstd = 1 / std::sqrt(variance + op.epsilon);
    for (std::int64_t c = 0; c < width; ++c) row[c] = (row[c] - mean) * rstd * gamma[at(c)] + beta[at(c)];
    means.push_back(mean);
    rstds.push_back(rstd);
  }
  store(out[0], x);
  store(out[1], means);
  store(out[2], rstds);
}

// With x̂ = (x − mean) · rstd and g = gamma · dy: dx = rstd · (g − avg(g) − x̂ · avg(g · x̂)), averages over the row.
void layer_norm_backward(const ops::LayerNormBackward& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]), means = load(in[2]), rstds = load(in[3]), dy = load(in[4]);
  const auto [count, width] = rows_of(in[0].shape());
  const Values gamma = in[1].defined() ? load(in[1]) : Values(at(width), 1);
  Values dx(x.size()), dgamma(at(width), 0), dbeta(at(width), 0);
  for (std::int64_t r = 0; r < count; ++r) {
    const double mean = means[at(r)], rstd = rstds[at(r)];
    const auto normalised = [&](std::int64_t c) { return (x[at(r * width + c)] - mean) * rstd; };
    double sum = 0, dot = 0;
    for (std::int64_t c = 0; c < width; ++c) {
      const double d = dy[at(r * width + c)], g = d * gamma[at(c)];
      sum += g;
      dot += g * normalised(c);
      dgamma[at(c)] += d * normalised(c);
      dbeta[at(c)] += d;
    }
    const auto n = static_cast<double>(width);
    for (std::int64_t c = 0; c < width; ++c)
      dx[at(r * width + c)] = rstd * (dy[at(r * width + c)] * gamma[at(c)] - sum / n - normalised(c) * dot / n);
  }
  store(out[0], dx);
  if (op.parameters) {
    store(out[1], dgamma);
    store(out[2], dbeta);
  }
}

}  // namespace

void register_layer_norm(KernelTable& table) {
  table.add<ops::LayerNorm>("reference", layer_norm, floating);
  table.add<ops::LayerNormBackward>("reference", layer_norm_backward, floating);
}

}  // namespace strata::reference
