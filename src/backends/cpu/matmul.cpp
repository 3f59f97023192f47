// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include <cstring>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/onednn.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

MatmulShape::Strides strides_of(const Tensor& x, bool transposed) {
  const std::int64_t batch = x.ndim() == 3 ? x.stride(0) : 0;
  if (transposed) return {batch, x.stride(-1), x.stride(-2)};
  return {batch, x.stride(-2), x.stride(-1)};
}

// A product over nothing is zero, or the bias.
void without_terms(const MatmulShape& shape, const float* bias, float* c, const Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  for (std::int64_t g = 0; g < shape.batch; ++g)
    for (std::int64_t row = 0; row < shape.m; ++row) {
      float* to = c + g * shape.c.batch + row * shape.c.row;
      if (bias == nullptr)
        kernels.fill(to, 0.0f, shape.n);
      else
        std::memcpy(to, bias, static_cast<std::size_t>(shape.n) * sizeof(float));
    }
}

void product(MatmulShape shape, const float* a, const float* b, const float* bias, float* c, const Context& ctx) {
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  if (shape.k == 0) return without_terms(shape, bias, c, ctx);
  const auto& backend = cpu_backend(ctx);
  shape.has_bias = bias != nullptr;
  shape.threads = backend.threads();
  backend.matmuls().run(shape, a, b, bias, c);
}

void matmul(const ops::Matmul& op, Inputs in, Outputs out, Context& ctx) {
  const Tensor &a = in[0], &b = in[1], &c = out[0];
  const MatmulShape shape{.batch = c.ndim() == 3 ? c.dim(0) : 1,
                          .m = c.dim(-2),
                          .n = c.dim(-1),
                          .k = a.dim(op.transpose_a ? -2 : -1),
                          .a = strides_of(a, op.transpose_a),
                          .b = strides_of(b, op.transpose_b),
                          .c = strides_of(c, false)};
  product(shape, a.data<float>(), b.data<float>(), nullptr, c.data<float>(), ctx);
}

void linear(const ops::Linear&, Inputs in, Outputs out, Context& ctx) {
  const Tensor x = in[0].rows(), y = out[0].rows();
  const Tensor weight = in[1].ndim() == 2 ? in[1] : in[1].reshape({in[1].dim(0), -1});
  const Tensor bias = ops::optional_tensor(in, 2);
  const MatmulShape shape{.m = y.dim(0),
                          .n = y.dim(1),
                          .k = x.dim(1),
                          .a = strides_of(x, false),
                          .b = strides_of(weight, true),
                          .c = strides_of(y, false)};
  product(shape, x.data<float>(), weight.data<float>(), bias.defined() ? bias.data<float>() : nullptr, y.data<float>(),
          ctx);
}

}  // namespace

void add_matmul(KernelTable& table) {
  table.add<ops::Matmul>("oneDNN matmul f32", matmul, all_are<DType::f32>);
  table.add<ops::Linear>("oneDNN matmul f32", linear, all_are<DType::f32>);
}

}  // namespace strata::cpu
