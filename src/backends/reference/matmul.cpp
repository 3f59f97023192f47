// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include "backends/reference/normal.hpp"
#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

// One product of row-major matrices; transposed operands are stored [k, m] and [n, k].
void multiply(const double* a, const double* b, double* c, std::int64_t m, std::int64_t n, std::int64_t k,
              bool transpose_a, bool transpose_b) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t p = 0; p < k; ++p) {
      const double factor = transpose_a ? a[p * m + i] : a[i * k + p];
      if (transpose_b)
        for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += factor * b[j * k + p];
      else
        for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += factor * b[p * n + j];
    }
}

void matmul(const ops::Matmul& op, Inputs in, Outputs out, Context&) {
  const Values a = load(in[0]), b = load(in[1]);
  const Shape& shape = out[0].shape();
  const std::int64_t m = shape[-2], n = shape[-1], k = in[0].dim(op.transpose_a ? -2 : -1);
  const std::int64_t batches = shape.ndim() == 3 ? shape[0] : 1;
  Values c(at(shape.numel()), 0);
  for (std::int64_t g = 0; g < batches; ++g)
    multiply(a.data() + g * m * k, b.data() + g * k * n, c.data() + g * m * n, m, n, k, op.transpose_a, op.transpose_b);
  store(out[0], c);
}

// As it would stand in memory between two ops of x's type.
Values rounded(const Values& values, const Tensor& like, Context& ctx) {
  const Tensor memory = ctx.empty(like.dtype(), {static_cast<std::int64_t>(values.size())});
  store(memory, values);
  return load(memory);
}

Values gelu_of(Values x) {
  for (double& value : x) value *= normal_distribution(value);
  return x;
}

void linear(const ops::Linear& op, Inputs in, Outputs out, Context& ctx) {
  const Values x = op.gelu ? rounded(gelu_of(load(in[0])), in[0], ctx) : load(in[0]), weight = load(in[1]);
  const auto [count, width] = rows_of(out[0].shape());
  Values y(at(count * width), 0);
  if (const Tensor residual = ops::optional_tensor(in, 3); residual.defined()) y = load(residual);
  if (const Tensor bias = ops::optional_tensor(in, 2); bias.defined()) {
    const Values b = load(bias);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += b[i % b.size()];
  }
  multiply(x.data(), weight.data(), y.data(), count, width, in[0].dim(-1), false, true);
  store(out[0], y);
}

void linear_parameters_backward(const ops::LinearParametersBackward&, Inputs in, Outputs out, Context&) {
  const Values dy = load(in[0]), x = load(in[1]);
  const std::int64_t rows = in[0].dim(0), outputs = in[0].dim(1), inputs = in[1].dim(1);
  Values dweight(at(outputs * inputs), 0), dbias(at(outputs), 0);
  multiply(dy.data(), x.data(), dweight.data(), outputs, inputs, rows, true, false);
  for (std::int64_t i = 0; i < rows * outputs; ++i) dbias[at(i % outputs)] += dy[at(i)];
  store(out[0], dweight);
  store(out[1], dbias);
}

void gelu_linear_backward(const ops::GeluLinearBackward&, Inputs in, Outputs out, Context&) {
  const Values dy = load(in[0]), weight = load(in[1]), x = load(in[2]);
  const auto [count, width] = rows_of(out[0].shape());
  Values dx(at(count * width), 0);
  multiply(dy.data(), weight.data(), dx.data(), count, width, in[0].dim(-1), false, false);
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] *= normal_distribution(x[i]) + x[i] * normal_density(x[i]);
  store(out[0], dx);
  store(out[1], gelu_of(x));
}

}  // namespace

void register_matmul(KernelTable& table) {
  table.add<ops::Matmul>("reference", matmul, floating);
  table.add<ops::Linear>("reference", linear, floating);
  table.add<ops::GeluLinearBackward>("reference", gelu_linear_backward, floating);
  table.add<ops::LinearParametersBackward>("reference", linear_parameters_backward, floating);
}

}  // namespace strata::reference
