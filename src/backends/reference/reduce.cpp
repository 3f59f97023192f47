// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/reduce.hpp"

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

// A tensor as [outer, axis, inner]; everything at once is one long axis.
struct Axes {
  std::int64_t outer, size, inner;
};

Axes axes_of(const Shape& shape, int axis, bool everything) {
  if (everything) return {1, shape.numel(), 1};
  return {shape.outer(axis), shape[axis], shape.inner(axis)};
}

void reduce(const ops::Reduce& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  const auto [outer, size, inner] = axes_of(in[0].shape(), op.axis, op.everything);
  Values sums(at(outer * inner), 0);
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t k = 0; k < size; ++k)
      for (std::int64_t i = 0; i < inner; ++i) sums[at(o * inner + i)] += x[at((o * size + k) * inner + i)];
  if (op.kind == ops::Reduction::mean)
    for (double& sum : sums) sum /= static_cast<double>(size);
  store(out[0], sums);
}

void expand(const ops::Expand& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  const auto [outer, size, inner] = axes_of(op.shape, op.axis, op.everything);
  Values y(at(op.shape.numel()));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t k = 0; k < size; ++k)
      for (std::int64_t i = 0; i < inner; ++i) y[at((o * size + k) * inner + i)] = op.alpha * x[at(o * inner + i)];
  store(out[0], y);
}

}  // namespace

void register_reduce(KernelTable& table) {
  table.add<ops::Reduce>("reference", reduce, floating);
  table.add<ops::Expand>("reference", expand, floating);
}

}  // namespace strata::reference
