// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/elementwise.hpp"

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void add(const ops::Add&, Inputs in, Outputs out, Context&) {
  Values a = load(in[0]);
  const Values b = load(in[1]);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i % b.size()];
  store(out[0], a);
}

void mul(const ops::Mul&, Inputs in, Outputs out, Context&) {
  Values a = load(in[0]);
  const Values b = load(in[1]);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= b[i % b.size()];
  store(out[0], a);
}

void scale(const ops::Scale& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  for (double& value : x) value *= op.alpha;
  store(out[0], x);
}

void clamp(const ops::Clamp& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  for (double& value : x) value = value < op.low ? op.low : value > op.high ? op.high : value;
  store(out[0], x);
}

}  // namespace

void register_elementwise(KernelTable& table) {
  table.add<ops::Add>("reference", add, floating);
  table.add<ops::Mul>("reference", mul, floating);
  table.add<ops::Scale>("reference", scale, floating);
  table.add<ops::Clamp>("reference", clamp, floating);
}

}  // namespace strata::reference
