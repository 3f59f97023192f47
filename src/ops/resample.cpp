// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/resample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace strata::ops {
namespace {

// Keys' cubic convolution kernel (R. Keys 1981) with parameter a, at distance x >= 0.
double cubic_kernel(double x, double a) {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((x - 5) * x + 8) * x * a - 4 * a;
  return 0;
}

// Each fills the row of weights of one output sample; `centre` is where the sample lies, in input samples.
void linear_row(double centre, std::int64_t in, double* row) {
  const double at = std::max(centre, 0.0);
  const auto low = std::min(static_cast<std::int64_t>(at), in - 1);
  const auto high = std::min(low + 1, in - 1);
  const double fraction = at - static_cast<double>(low);
  if (low == high) {
    row[low] = 1;
  } else {
    row[low] = 1 - fraction;
    row[high] = fraction;
  }
}

void cubic_row(double centre, std::int64_t in, double* row) {
  constexpr double kSharpness = -0.75;
  const double floor = std::floor(centre), fraction = centre - floor;
  for (int tap = -1; tap <= 2; ++tap) {
    const auto index = std::clamp<std::int64_t>(static_cast<std::int64_t>(floor) + tap, 0, in - 1);
    row[index] += cubic_kernel(std::abs(fraction - tap), kSharpness);
  }
}

void cubic_antialias_row(double centre, double step, std::int64_t in, double* row) {
  constexpr double kSharpness = -0.5;
  const double widening = std::max(step, 1.0), support = 2 * widening;
  const double middle = centre + 0.5;  // in edges of samples instead of their centres
  const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(middle - support + 0.5), 0);
  const auto last = std::min<std::int64_t>(static_cast<std::int64_t>(middle + support + 0.5), in);
  double sum = 0;
  for (auto j = first; j < last; ++j)
    sum += row[j] = cubic_kernel(std::abs((static_cast<double>(j) + 0.5 - middle) / widening), kSharpness);
  for (auto j = first; j < last; ++j) row[j] /= sum;
}

}  // namespace

std::vector<double> resample_matrix(ResampleFilter filter, std::int64_t in, std::int64_t out) {
  STRATA_CHECK(in > 0 && out > 0, usage, "resample", fmt::format("cannot resample {} samples to {}", in, out));
  std::vector<double> matrix(static_cast<std::size_t>(in * out), 0.0);  // [out, in]
  const double step = static_cast<double>(in) / static_cast<double>(out);
  for (std::int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * step - 0.5;
    double* row = matrix.data() + i * in;
    switch (filter) {
      case ResampleFilter::linear: linear_row(centre, in, row); break;
      case ResampleFilter::cubic: cubic_row(centre, in, row); break;
      case ResampleFilter::cubic_antialias: cubic_antialias_row(centre, step, in, row); break;
    }
  }
  return matrix;
}

std::vector<TensorSpec> Resample::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  STRATA_CHECK(in > 0 && out > 0, usage, kName, fmt::format("cannot resample {} samples to {}", in, out));
  const std::int64_t from = adjoint ? out : in, to = adjoint ? in : out;
  STRATA_CHECK(inputs[0].shape[axis] == from, usage, kName,
               fmt::format("axis {} of {} has not the expected {} samples", axis, inputs[0].shape.str(), from));
  return {{inputs[0].dtype, inputs[0].shape.with(axis, to)}};
}

std::vector<Tensor> Resample::gradient(const GradientArgs& args) const {
  Resample transposed = *this;
  transposed.adjoint = !adjoint;
  return {run1(args.ctx, transposed, {args.grad()})};
}

Tensor resample(Context& ctx, const Tensor& x, int first_axis, const std::vector<std::int64_t>& to,
                ResampleFilter filter) {
  Tensor result = x;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const int axis = first_axis + static_cast<int>(i);
    if (result.dim(axis) != to[i]) result = run1(ctx, Resample{axis, result.dim(axis), to[i], filter}, {result});
  }
  return result;
}

}  // namespace strata::ops
