// SPDX-License-Identifier: Apache-2.0
//
// Products go to cuBLASLt; where it has no algorithm (odd alignments, nothing to sum, f64 with a bias), a tiled kernel
// of this file serves. Bias and residual are added there, bias gradients come from the product of the weight's
// gradient. GELU within a product is formed before it: cuBLASLt's own is the tanh approximation, ours is exact.
#include "backends/cuda/gelu.hpp"
#include "backends/cuda/launch.cuh"
#include "backends/cuda/product.hpp"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"
#include "strata/ops/matmul.hpp"

namespace strata::cuda {
namespace {

constexpr int kTile = 16;

// A block computes a tile of y; blocks walk over tiles. T: inputs, Y: result and residual, B: bias.
template <class T, class Y, class B>
__global__ void multiply_tiles(Product p) {
  using A = Accumulation<T>;
  __shared__ A left[kTile][kTile + 1], right[kTile][kTile + 1];
  const int row = static_cast<int>(threadIdx.x) / kTile, column = static_cast<int>(threadIdx.x) % kTile;
  const std::int64_t across = (p.n + kTile - 1) / kTile, down = (p.m + kTile - 1) / kTile;
  for (std::int64_t tile = blockIdx.x; tile < across * down * p.batches; tile += gridDim.x) {
    const std::int64_t batch = tile / (across * down), inside = tile % (across * down);
    const std::int64_t i = inside / across * kTile + row, j = inside % across * kTile + column;
    const T* a = static_cast<const T*>(p.a) + batch * p.batch_a;
    const T* b = static_cast<const T*>(p.b) + batch * p.batch_b;
    A sum = 0;
    for (std::int64_t k0 = 0; k0 < p.k; k0 += kTile) {
      const std::int64_t ka = k0 + column, kb = k0 + row;
      left[row][column] = i < p.m && ka < p.k ? A(widen(p.transpose_a ? a[ka * p.lda + i] : a[i * p.lda + ka])) : A(0);
      right[row][column] = j < p.n && kb < p.k ? A(widen(p.transpose_b ? b[j * p.ldb + kb] : b[kb * p.ldb + j])) : A(0);
      __syncthreads();
#pragma unroll
      for (int k = 0; k < kTile; ++k) sum += left[row][k] * right[k][column];
      __syncthreads();
    }
    if (i >= p.m || j >= p.n) continue;
    if (p.bias != nullptr) sum += A(widen(static_cast<const B*>(p.bias)[j]));
    if (p.residual != nullptr) sum += A(widen(static_cast<const Y*>(p.residual)[i * p.ld_residual + j]));
    (static_cast<Y*>(p.y) + batch * p.batch_y)[i * p.ldy + j] = narrow<Y>(sum);
  }
}

template <class From, class To>
__global__ void cast_bias(const From* from, To* to, std::int64_t n) {
  for (std::int64_t i = first_item(); i < n; i += all_items()) to[i] = narrow<To>(widen(from[i]));
}

// A bias for cuBLASLt, which adds one of the result's type alone: an f32 bias to a bf16 result is rounded before the
// sum is.
Tensor bias_as_result(const Product& p, Context& ctx) {
  const Tensor bias = ctx.empty(p.out, {p.n});
  with_floating(p.bias_type, [&]<class From>(From) {
    with_floating(p.out, [&]<class To>(To) {
      launch("cast_bias", cast_bias<From, To>, over(p.n), ctx, static_cast<const From*>(p.bias), pointer<To>(bias),
             p.n);
    });
  });
  return bias;
}

bool served_by_cublaslt(const Product& product, Context& ctx) {
  if (product.bias == nullptr) return multiply_with_cublaslt(product, ctx);
  if (product.in == DType::f64) return false;
  if (product.bias_type == product.out) return multiply_with_cublaslt(product, ctx);
  const Tensor bias = bias_as_result(product, ctx);
  Product same = product;
  same.bias = bias.raw();
  same.bias_type = product.out;
  return multiply_with_cublaslt(same, ctx);
}

void multiply(const Product& product, Context& ctx) {
  if (product.m == 0 || product.n == 0 || product.batches == 0) return;
  if (served_by_cublaslt(product, ctx)) return;
  const std::int64_t tiles = (product.m + kTile - 1) / kTile * ((product.n + kTile - 1) / kTile) * product.batches;
  const Launch shape{.blocks = static_cast<unsigned>(std::min<std::int64_t>(tiles, 1 << 20)), .threads = kTile * kTile};
  with_floating(product.in, [&]<class T>(T) {
    with_floating(product.out, [&]<class Y>(Y) {
      with_floating(product.bias_type,
                    [&]<class B>(B) { launch("multiply_tiles", multiply_tiles<T, Y, B>, shape, ctx, product); });
    });
  });
}

void matmul(const ops::Matmul& op, Inputs in, Outputs out, Context& ctx) {
  const bool batched = out[0].ndim() == 3;
  Product p;
  p.m = out[0].dim(-2);
  p.n = out[0].dim(-1);
  p.k = in[0].dim(op.transpose_a ? -2 : -1);
  p.transpose_a = op.transpose_a;
  p.transpose_b = op.transpose_b;
  p.in = in[0].dtype();
  p.out = p.bias_type = out[0].dtype();
  p.a = in[0].raw();
  p.b = in[1].raw();
  p.y = out[0].raw();
  p.lda = in[0].stride(-2);
  p.ldb = in[1].stride(-2);
  p.ldy = p.n;
  if (batched) {
    p.batches = out[0].dim(0);
    p.batch_a = in[0].stride(0);
    p.batch_b = in[1].stride(0);
    p.batch_y = p.m * p.n;
  }
  multiply(p, ctx);
}

// x as [rows, width].
Product linear_product(const Tensor& x, const Tensor& weight, const Tensor& y) {
  const Tensor rows = x.ndim() == 1 ? x.reshape({1, x.dim(0)}) : x.rows();
  Product p;
  p.m = rows.dim(0);
  p.n = y.dim(-1);
  p.k = rows.dim(1);
  p.in = x.dtype();
  p.out = p.bias_type = y.dtype();
  p.a = rows.raw();
  p.lda = rows.stride(0);
  p.b = weight.raw();
  p.y = y.raw();
  p.ldy = p.n;
  return p;
}

void linear(const ops::Linear& op, Inputs in, Outputs out, Context& ctx) {
  Tensor x = in[0];
  if (op.gelu) {
    x = ctx.empty(in[0].dtype(), in[0].shape());
    activate(in[0], Tensor(), x, ctx);
  }
  Product p = linear_product(x, in[1], out[0]);
  p.transpose_b = true;
  p.ldb = p.k;
  if (const Tensor bias = ops::optional_tensor(in, 2); bias.defined()) {
    p.bias = bias.raw();
    p.bias_type = bias.dtype();
  }
  if (const Tensor residual = ops::optional_tensor(in, 3); residual.defined()) {
    p.residual = residual.raw();
    p.ld_residual = residual.ndim() == 1 ? p.n : residual.rows().stride(0);
  }
  multiply(p, ctx);
}

void gelu_linear_backward(const ops::GeluLinearBackward&, Inputs in, Outputs out, Context& ctx) {
  Product p = linear_product(in[0], in[1], out[0]);
  p.ldb = p.n;
  multiply(p, ctx);
  activate(in[2], out[0], out[1], ctx);
}

void linear_parameters_backward(const ops::LinearParametersBackward&, Inputs in, Outputs out, Context& ctx) {
  Product p;
  p.m = out[0].dim(0);
  p.n = out[0].dim(1);
  p.k = in[0].dim(0);
  p.transpose_a = true;
  p.in = in[0].dtype();
  p.out = p.bias_type = out[0].dtype();
  p.a = in[0].raw();
  p.b = in[1].raw();
  p.y = out[0].raw();
  p.lda = in[0].stride(0);
  p.ldb = in[1].stride(0);
  p.ldy = p.n;
  p.column_sums = out[1].raw();
  const bool both = p.m > 0 && p.n > 0 && p.in != DType::f64 && multiply_with_cublaslt(p, ctx);
  if (both) return;
  p.column_sums = nullptr;
  multiply(p, ctx);
  column_sums(ops::dense(ctx, in[0]), out[1], ctx);
}

bool floating(const auto&, Specs inputs) { return is_floating(inputs[0].dtype); }

}  // namespace

void register_matmul(KernelTable& table) {
  table.add<ops::Matmul>("cuBLASLt", matmul, floating<ops::Matmul>);
  table.add<ops::Linear>("cuBLASLt", linear, floating<ops::Linear>);
  table.add<ops::LinearParametersBackward>("cuBLASLt", linear_parameters_backward,
                                           floating<ops::LinearParametersBackward>);
  table.add<ops::GeluLinearBackward>("cuBLASLt", gelu_linear_backward, floating<ops::GeluLinearBackward>);
}

}  // namespace strata::cuda
