// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include "backends/reference/normal.hpp"
#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void gelu(const ops::Gelu&, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  for (double& value : x) value *= normal_distribution(value);
  store(out[0], x);
}

void gelu_backward(const ops::GeluBackward&, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  Values dy = load(in[1]);
  for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= normal_distribution(x[i]) + x[i] * normal_density(x[i]);
  store(out[0], dy);
}

}  // namespace

void register_gelu(KernelTable& table) {
  table.add<ops::Gelu>("reference", gelu, floating);
  table.add<ops::GeluBackward>("reference", gelu_backward, floating);
}

}  // namespace strata::reference
