// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/resample.hpp"

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void resample(const ops::Resample& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  const auto matrix = ops::resample_matrix(op.filter, op.in, op.out);  // [out, in]
  const auto from = in[0].shape()[op.axis], to = out[0].shape()[op.axis];
  const auto outer = in[0].shape().outer(op.axis), inner = in[0].shape().inner(op.axis);
  Values y(at(out[0].numel()), 0.0);
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < to; ++i)
      for (std::int64_t j = 0; j < from; ++j) {
        const double weight = matrix[at(op.adjoint ? j * op.in + i : i * op.in + j)];
        for (std::int64_t c = 0; c < inner; ++c)
          y[at((o * to + i) * inner + c)] += weight * x[at((o * from + j) * inner + c)];
      }
  store(out[0], y);
}

}  // namespace

void register_resample(KernelTable& table) { table.add<ops::Resample>("reference", resample, first_floating); }

}  // namespace strata::reference
