// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

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

void linear(const ops::Linear&, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]), weight = load(in[1]);
  const auto [count, width] = rows_of(out[0].shape());
  Values y(at(count * width), 0);
  if (const Tensor bias = ops::optional_tensor(in, 2); bias.defined()) {
    const Values b = load(bias);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = b[i % b.size()];
  }
  multiply(x.data(), weight.data(), y.data(), count, width, in[0].dim(-1), false, true);
  store(out[0], y);
}

}  // namespace

void register_matmul(KernelTable& table) {
  table.add<ops::Matmul>("reference", matmul, floating);
  table.add<ops::Linear>("reference", linear, floating);
}

}  // namespace strata::reference
