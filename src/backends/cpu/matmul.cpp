// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include <algorithm>
#include <cstring>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/onednn.hpp"
#include "backends/cpu/packed_weights.hpp"
#include "backends/cpu/simd/epilogue.hpp"
#include "backends/cpu/threads.hpp"
#include "strata/ops/copy.hpp"

namespace strata::cpu {
namespace {

MatmulShape::Strides strides_of(const Tensor& x, bool transposed) {
  const std::int64_t batch = x.ndim() == 3 ? x.stride(0) : 0;
  if (transposed) return {batch, x.stride(-1), x.stride(-2)};
  return {batch, x.stride(-2), x.stride(-1)};
}

const void* data_of(const Tensor& optional) { return optional.defined() ? optional.raw() : nullptr; }

// A product over nothing is zero, or the bias.
void without_terms(const Tensor& c, const Tensor& bias, Context& ctx) {
  if (!bias.defined()) return ops::fill(ctx, c, 0);
  const Tensor row = ops::cast(ctx, bias, c.dtype());
  for (std::int64_t i = 0; i < c.dim(0); ++i) std::memcpy(c.slice(0, i, i + 1).raw(), row.raw(), row.bytes());
}

// --- a weight times a few rows, while other threads do other rows

// Rows of a panel. 128 rows of 3072 columns of bf16 take 768 KiB: they are still in the second-level cache when
// something is done to them, and there are enough of them to hide the weight's way from memory.
constexpr std::int64_t kPanelRows = 128;

// c [m, n] = left [m, k] · weight [k, n] + bias.
struct WeightProduct {
  DType type = DType::f32;   // of left and weight
  std::int64_t left_stride;  // elements from row to row
  Tensor weight;             // however it lies, `strides` says it
  MatmulShape::Strides strides;
  std::int64_t k;
  Tensor bias;  // [n] or undefined
  Tensor c;     // row-dense

  std::int64_t m() const { return c.dim(0); }
  MatmulShape shape(std::int64_t rows) const {
    return {.m = rows,
            .n = c.dim(1),
            .k = k,
            .a = {0, left_stride, 1},
            .b = strides,
            .c = {0, c.row_stride(), 1},
            .input = type,
            .output = c.dtype(),
            .bias = bias.defined() ? bias.dtype() : DType::f32,
            .has_bias = bias.defined()};
  }
  MatmulShape panel(std::int64_t rows) const {  // with a packed weight, on one thread
    MatmulShape result = shape(rows);
    result.b = {};
    result.packed = true;
    return result;
  }
};

// Rows so that every thread gets the same number of panels; a multiple of 16, so that few different shapes occur.
std::int64_t panel_rows(std::int64_t m, int threads) {
  const std::int64_t panels = (m + kPanelRows * threads - 1) / (kPanelRows * threads) * threads;
  return ((m + panels - 1) / panels + 15) / 16 * 16;
}

// Products of f32 are left to the library's own threads: packed weights would double their memory for nothing.
bool by_panels(const WeightProduct& p, std::int64_t rows, const CpuBackend& backend) {
  constexpr std::int64_t kFewest = 48;  // rows a thread; below, a panel's product reads more weight than it computes
  if (p.type != DType::bf16 || p.m() < kFewest * backend.threads()) return false;
  const std::int64_t rest = p.m() % rows;
  return backend.matmuls().fast(p.panel(rows)) && (rest == 0 || backend.matmuls().fast(p.panel(rest)));
}

// before(begin, end) returns rows [begin, end) of the left operand; after(begin, end) changes those rows of c. Both see
// one panel at a time, or everything when the product is not done by panels; they may use parallel_for.
template <class Before, class After>
void multiply(const WeightProduct& p, Context& ctx, const Before& before, const After& after) {
  if (p.m() == 0 || p.c.dim(1) == 0) return;
  if (p.k == 0) {
    without_terms(p.c, p.bias, ctx);
    return after(0, p.m());
  }
  const auto& backend = cpu_backend(ctx);
  const std::int64_t rows = panel_rows(p.m(), backend.threads());
  if (!by_panels(p, rows, backend)) {
    MatmulShape shape = p.shape(p.m());
    shape.threads = backend.threads();
    const Tensor left = before(0, p.m());
    backend.matmuls().run(shape, left.raw(), p.weight.raw(), data_of(p.bias), p.c.raw());
    return after(0, p.m());
  }
  MatmulShape whole = p.shape(rows);
  whole.threads = backend.threads();
  const auto packed = backend.weights().get(whole, p.weight);
  parallel_for(ctx, p.m(), rows, [&](std::int64_t begin, std::int64_t end) {
    const Tensor left = before(begin, end);
    backend.matmuls().run(p.panel(end - begin), left.raw(), packed.get(), data_of(p.bias),
                          p.c.slice(0, begin, end).raw());
    after(begin, end);
  });
}

constexpr auto kNothing = [](std::int64_t, std::int64_t) {};

// --- the ops, in f32 or bf16

template <class T>
const GeluPanelSimd<T>& gelu_kernels(const Context& ctx) {
  const auto& kernels = simd(ctx, epilogue_simd);
  if constexpr (sizeof(T) == 4)
    return kernels.f32;
  else
    return kernels.bf16;
}

// gelu(x) of rows [begin, end), in memory of its own.
template <class T>
Tensor gelu_rows(const Tensor& x, std::int64_t begin, std::int64_t end, Context& ctx) {
  const Tensor y = ctx.empty(x.dtype(), {end - begin, x.dim(1)});
  const auto kernel = gelu_kernels<T>(ctx).forward;
  parallel_for(ctx, end - begin, rows_a_chunk(x.dim(1)), [&](std::int64_t first, std::int64_t last) {
    for (auto i = first; i < last; ++i)
      kernel(memory<const T>(x) + (begin + i) * x.row_stride(), memory<T>(y) + i * x.dim(1), x.dim(1));
  });
  return y;
}

// c += residual, rows [begin, end).
void add_residual(const Tensor& residual, const Tensor& c, std::int64_t begin, std::int64_t end, const Context& ctx) {
  const auto& kernels = simd(ctx, epilogue_simd);
  const std::int64_t width = c.dim(1);
  parallel_for(ctx, end - begin, rows_a_chunk(width), [&](std::int64_t first, std::int64_t last) {
    for (auto i = begin + first; i < begin + last; ++i) {
      if (c.dtype() == DType::f32)
        kernels.add_f32(memory<const float>(residual) + i * residual.row_stride(),
                        memory<float>(c) + i * c.row_stride(), width);
      else
        kernels.add_bf16(memory<const std::uint16_t>(residual) + i * residual.row_stride(),
                         memory<std::uint16_t>(c) + i * c.row_stride(), width);
    }
  });
}

void matmul_in_type(const ops::Matmul& op, const Tensor& a, const Tensor& b, const Tensor& c, Context& ctx) {
  const std::int64_t k = a.dim(op.transpose_a ? -2 : -1);
  if (op.weight && c.ndim() == 2 && !op.transpose_a)
    return multiply(
        {a.dtype(), a.row_stride(), b, strides_of(b, op.transpose_b), k, Tensor(), c}, ctx,
        [&](std::int64_t begin, std::int64_t end) { return a.slice(0, begin, end); }, kNothing);
  if (c.numel() == 0) return;
  if (k == 0) return ops::fill(ctx, c, 0);
  const auto& backend = cpu_backend(ctx);
  backend.matmuls().run({.batch = c.ndim() == 3 ? c.dim(0) : 1,
                         .m = c.dim(-2),
                         .n = c.dim(-1),
                         .k = k,
                         .a = strides_of(a, op.transpose_a),
                         .b = strides_of(b, op.transpose_b),
                         .c = strides_of(c, false),
                         .input = a.dtype(),
                         .output = c.dtype(),
                         .threads = backend.threads()},
                        a.raw(), b.raw(), nullptr, c.raw());
}

template <class T>
void linear_in_type(const ops::Linear& op, Inputs in, const Tensor& y, Context& ctx) {
  const Tensor x = in[0].rows(), c = y.rows();
  const Tensor weight = in[1].ndim() == 2 ? in[1] : in[1].reshape({in[1].dim(0), -1});
  const Tensor residual = ops::optional_tensor(in, 3).defined() ? in[3].rows() : Tensor();
  multiply(
      {x.dtype(), op.gelu ? x.dim(1) : x.row_stride(), weight, strides_of(weight, true), x.dim(1),
       ops::optional_tensor(in, 2), c},
      ctx,
      [&](std::int64_t begin, std::int64_t end) {
        return op.gelu ? gelu_rows<T>(x, begin, end, ctx) : x.slice(0, begin, end);
      },
      [&](std::int64_t begin, std::int64_t end) {
        if (residual.defined()) add_residual(residual, c, begin, end, ctx);
      });
}

template <class T>
void gelu_backward_in_type(Inputs in, Outputs out, Context& ctx) {
  const Tensor &dy = in[0], &weight = in[1], &x = in[2], &dx = out[0], &y = out[1];
  const auto kernel = gelu_kernels<T>(ctx).backward;
  multiply(
      {dy.dtype(), dy.row_stride(), weight, strides_of(weight, false), dy.dim(1), Tensor(), dx}, ctx,
      [&](std::int64_t begin, std::int64_t end) { return dy.slice(0, begin, end); },
      [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t width = x.dim(1);
        parallel_for(ctx, end - begin, rows_a_chunk(width), [&](std::int64_t first, std::int64_t last) {
          for (auto i = begin + first; i < begin + last; ++i)
            kernel(memory<const T>(x) + i * x.row_stride(), memory<T>(dx) + i * dx.row_stride(),
                   memory<T>(y) + i * y.row_stride(), width);
        });
      });
}

// --- bf16 on processors whose library has no products of it: through f32

bool through_f32(const Tensor& x, const Context& ctx) { return !cpu_backend(ctx).matmuls().multiplies(x.dtype()); }

Tensor widened(Context& ctx, const Tensor& x) {
  return x.defined() ? ops::cast(ctx, ops::dense(ctx, x), DType::f32) : x;
}

std::vector<Tensor> widened(Context& ctx, Inputs in) {
  std::vector<Tensor> result;
  for (const auto& x : in) result.push_back(widened(ctx, x));
  return result;
}

Tensor wide_like(const Context& ctx, const Tensor& x) { return ctx.empty(DType::f32, x.shape()); }

void narrow_into(Context& ctx, const Tensor& from, const Tensor& to) {
  ops::run_into(ctx, ops::Copy{}, {ops::cast(ctx, from, to.dtype())}, {to});
}

void matmul(const ops::Matmul& op, Inputs in, Outputs out, Context& ctx) {
  if (!through_f32(in[0], ctx)) return matmul_in_type(op, in[0], in[1], out[0], ctx);
  const Tensor c = wide_like(ctx, out[0]);
  ops::Matmul plain = op;
  plain.weight = false;
  matmul_in_type(plain, widened(ctx, in[0]), widened(ctx, in[1]), c, ctx);
  narrow_into(ctx, c, out[0]);
}

void linear(const ops::Linear& op, Inputs in, Outputs out, Context& ctx) {
  if (in[0].dtype() == DType::f32) return linear_in_type<float>(op, in, out[0], ctx);
  if (!through_f32(in[0], ctx)) return linear_in_type<std::uint16_t>(op, in, out[0], ctx);
  const Tensor y = wide_like(ctx, out[0]);
  linear_in_type<float>(op, widened(ctx, in), y, ctx);
  narrow_into(ctx, y, out[0]);
}

void gelu_linear_backward(const ops::GeluLinearBackward&, Inputs in, Outputs out, Context& ctx) {
  if (in[0].dtype() == DType::f32) return gelu_backward_in_type<float>(in, out, ctx);
  if (!through_f32(in[0], ctx)) return gelu_backward_in_type<std::uint16_t>(in, out, ctx);
  const std::vector<Tensor> wide{wide_like(ctx, out[0]), wide_like(ctx, out[1])};
  gelu_backward_in_type<float>(widened(ctx, in), wide, ctx);
  for (std::size_t i = 0; i < 2; ++i) narrow_into(ctx, wide[i], out[i]);
}

void linear_parameters_backward(const ops::LinearParametersBackward&, Inputs in, Outputs out, Context& ctx) {
  matmul({.transpose_a = true, .wide = true}, in, out.first(1), ctx);
  column_sums(ops::dense(ctx, in[0]), out[1], ctx);
}

// --- predicates

template <DType T, class Op>
bool in_type(const Op&, Specs in) {  // operands of T
  return in[0].dtype == T && in[1].dtype == T;
}

// Bias of T or f32; what is added afterwards has the output's type.
template <DType T>
bool serves_linear(const ops::Linear& op, Specs in) {
  const TensorSpec bias = ops::optional_spec(in, 2), residual = ops::optional_spec(in, 3);
  const auto fits = [](const TensorSpec& x) { return !x.defined || x.dtype == T || x.dtype == DType::f32; };
  return in_type<T>(op, in) && fits(bias) && fits(residual);
}

}  // namespace

void add_matmul(KernelTable& table) {
  table.add<ops::Matmul>("oneDNN matmul f32", matmul, in_type<DType::f32>);
  table.add<ops::Matmul>("oneDNN matmul bf16", matmul, in_type<DType::bf16>);
  table.add<ops::Linear>("oneDNN matmul f32", linear, serves_linear<DType::f32>);
  table.add<ops::Linear>("oneDNN matmul bf16", linear, serves_linear<DType::bf16>);
  table.add<ops::LinearParametersBackward>("oneDNN matmul f32", linear_parameters_backward,
                                           in_type<DType::f32, ops::LinearParametersBackward>);
  table.add<ops::LinearParametersBackward>("oneDNN matmul bf16", linear_parameters_backward,
                                           in_type<DType::bf16, ops::LinearParametersBackward>);
  table.add<ops::GeluLinearBackward>("oneDNN matmul f32", gelu_linear_backward, in_type<DType::f32>);
  table.add<ops::GeluLinearBackward>("oneDNN matmul bf16", gelu_linear_backward, in_type<DType::bf16>);
}

}  // namespace strata::cpu
