// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

// out: y, mean, rstd
void normalise(const Tensor& rows, const Tensor& gamma_given, const Tensor& beta_given, double epsilon, Outputs out) {
  Values x = load(rows);
  const auto [count, width] = rows_of(rows.shape());
  const Values gamma = gamma_given.defined() ? load(gamma_given) : Values(at(width), 1);
  const Values beta = beta_given.defined() ? load(beta_given) : Values(at(width), 0);
  Values means, rstds;
  for (std::int64_t r = 0; r < count; ++r) {
    const auto row = x.begin() + r * width;
    double mean = 0, variance = 0;
    for (std::int64_t c = 0; c < width; ++c) mean += row[c] / static_cast<double>(width);
    for (std::int64_t c = 0; c < width; ++c) variance += (row[c] - mean) * (row[c] - mean) / static_cast<double>(width);
    const double rstd = 1 / std::sqrt(variance + epsilon);
    for (std::int64_t c = 0; c < width; ++c) row[c] = (row[c] - mean) * rstd * gamma[at(c)] + beta[at(c)];
    means.push_back(mean);
    rstds.push_back(rstd);
  }
  store(out[0], x);
  store(out[1], means);
  store(out[2], rstds);
}

void layer_norm(const ops::LayerNorm& op, Inputs in, Outputs out, Context&) {
  normalise(in[0], ops::optional_tensor(in, 1), ops::optional_tensor(in, 2), op.epsilon, out);
}

// The norm sees h as it is stored.
void add_layer_norm(const ops::AddLayerNorm& op, Inputs in, Outputs out, Context&) {
  Values h = load(in[0]);
  const Values branch = load(in[1]);
  for (std::size_t i = 0; i < h.size(); ++i) h[i] += branch[i];
  store(out[0], h);
  normalise(out[0], ops::optional_tensor(in, 2), ops::optional_tensor(in, 3), op.epsilon, out.subspan(1));
}

// With x̂ = (x − mean) · rstd and g = gamma · dy: dx = rstd · (g − avg(g) − x̂ · avg(g · x̂)), averages over the row; and
// what arrives at x past the norm.
void layer_norm_backward(const ops::LayerNormBackward& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]), means = load(in[2]), rstds = load(in[3]), dy = load(in[4]);
  const auto [count, width] = rows_of(in[0].shape());
  const Values gamma = in[1].defined() ? load(in[1]) : Values(at(width), 1);
  const Tensor residual = ops::optional_tensor(in, 5);
  Values dx = residual.defined() ? load(residual) : Values(x.size(), 0);
  Values dgamma(at(width), 0), dbeta(at(width), 0);
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
      dx[at(r * width + c)] += rstd * (dy[at(r * width + c)] * gamma[at(c)] - sum / n - normalised(c) * dot / n);
  }
  store(out[0], dx);
  if (op.parameters) {
    store(out[1], dgamma);
    store(out[2], dbeta);
  }
  if (op.narrowed) store(out[3], dx);
}

}  // namespace

void register_layer_norm(KernelTable& table) {
  table.add<ops::LayerNorm>("reference", layer_norm, floating);
  table.add<ops::AddLayerNorm>("reference", add_layer_norm, floating);
  table.add<ops::LayerNormBackward>("reference", layer_norm_backward, floating);
}

}  // namespace strata::reference
