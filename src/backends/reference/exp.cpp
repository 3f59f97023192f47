// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void exponential(const ops::Exp&, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  for (double& value : x) value = std::exp(value);
  store(out[0], x);
}

}  // namespace

void register_exp(KernelTable& table) { table.add<ops::Exp>("reference", exponential, floating); }

}  // namespace strata::reference
