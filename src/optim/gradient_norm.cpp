// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/gradient_norm.hpp"

#include <fmt/format.h>

#include <cmath>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/step.hpp"

namespace strata::optim {
namespace {

// "3 of 640 elements are not finite, the first at 17"; empty when all are.
std::string bad_elements(Context& ctx, const Tensor& gradient) {
  const auto values = ctx.to_host<double>(ops::cast(ctx, gradient, DType::f64));
  std::size_t count = 0, first = 0;
  for (std::size_t i = values.size(); i-- > 0;) {
    if (std::isfinite(values[i])) continue;
    ++count;
    first = i;
  }
  if (count == 0) return {};
  return fmt::format("{} of {} elements are not finite, the first ({}) at {}", count, values.size(), values[first],
                     first);
}

[[noreturn]] void fail_not_finite(Context& ctx, const Optimizer& optimizer, const GradientNorm& norm, double value) {
  const auto squares = ctx.to_host<double>(norm.squared);
  const auto indexes = optimizer.active();
  const auto gradients = optimizer.gradients();
  for (std::size_t k = 0; k < squares.size() && k < indexes.size(); ++k) {
    if (std::isfinite(squares[k])) continue;
    const std::string where = bad_elements(ctx, gradients[k]);
    fail(ErrorKind::numeric, "optim",
         fmt::format("the gradient norm is {}; in the gradient of {} {}", value,
                     optimizer.shares()[indexes[k]].parameter->name(),
                     where.empty() ? "all elements are finite, but their squares overflow" : where),
         "look for NaN in the data, lower the learning rate or warm up longer");
  }
  fail(ErrorKind::numeric, "optim", fmt::format("the gradient norm is {}, but every gradient here is finite", value),
       "another rank's gradients, or the scale, are not finite");
}

}  // namespace

Tensor squared_norms(Context& ctx, std::span<const Tensor> gradients) {
  return ops::run(ctx, ops::SquaredNorms{}, gradients).front();
}

GradientNorm clip(Context& ctx, const Tensor& squared, double scale, double max_norm) {
  STRATA_CHECK(std::isfinite(scale) && scale > 0, usage, "optim", fmt::format("gradients scaled by {}", scale),
               "use 1/k for k accumulated micro-batches");
  STRATA_CHECK(std::isfinite(max_norm) && max_norm >= 0, usage, "optim",
               fmt::format("clipping to a norm of {}", max_norm), "use 0 for no clipping");
  const Tensor on_device = ctx.tensor(std::vector<double>{scale}, {1});
  const auto out = ops::run(ctx, ops::ClipFactor{max_norm}, {squared, on_device});
  return {squared, out[0], out[1]};
}

GradientNorm gradient_norm(Context& ctx, const Optimizer& optimizer, double scale, double max_norm) {
  return clip(ctx, squared_norms(ctx, optimizer.gradients()), scale, max_norm);
}

double checked_norm(Context& ctx, const Optimizer& optimizer, const GradientNorm& norm) {
  const double value = ctx.item(norm.norm);
  if (!std::isfinite(value)) fail_not_finite(ctx, optimizer, norm, value);
  return value;
}

}  // namespace strata::optim
