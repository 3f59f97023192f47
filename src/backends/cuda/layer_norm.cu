// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <algorithm>
#include <initializer_list>

#include "backends/cuda/layer_norm_rows.cuh"
#include "backends/cuda/register.hpp"

namespace strata::cuda {
namespace {

template <class T>
constexpr DType kType = std::is_same_v<T, float>    ? DType::f32
                        : std::is_same_v<T, double> ? DType::f64
                                                    : DType::bf16;
template <class X>
constexpr DType kAccumulated = kType<Accumulation<X>>;

template <class T>
T* optional_pointer(const Tensor& tensor) {
  return tensor.defined() ? pointer<T>(tensor) : nullptr;
}

// Whether rows of `width` columns lie in packs in all these tensors.
bool packed_rows(std::int64_t width, std::initializer_list<Tensor> tensors) {
  return std::ranges::all_of(tensors, [&](const Tensor& tensor) {
    return !tensor.defined() || pack_width(std::array{Operand{tensor.raw(), width, size_of(tensor.dtype())}}) > 1;
  });
}

// out: y, mean, rstd. `branch` and `sum` may be undefined.
template <class X, class Y, class P>
void normalise(const Tensor& x, const Tensor& branch, const Tensor& sum, const Tensor& gamma, const Tensor& beta,
               Outputs out, double epsilon, Context& ctx) {
  using A = Accumulation<X>;
  const Rows rows = rows_of(x.shape());
  if (rows.count == 0) return;
  const Norm<X, Y, P> norm{pointer<X>(x),
                           optional_pointer<Y>(branch),
                           optional_pointer<X>(sum),
                           optional_pointer<P>(gamma),
                           optional_pointer<P>(beta),
                           pointer<Y>(out[0]),
                           pointer<A>(out[1]),
                           pointer<A>(out[2]),
                           rows.count,
                           static_cast<int>(rows.width),
                           static_cast<A>(epsilon)};
  with_row_layout<X>(
      rows, packed_rows(rows.width, {x, branch, sum, gamma, beta, out[0]}),
      [&]<class L>(L, const Launch& shape) { launch("layer_norm", norm_rows<L, X, Y, P>, shape, ctx, norm); });
}

template <class X, class Y, class P>
void layer_norm(const ops::LayerNorm& op, Inputs in, Outputs out, Context& ctx) {
  normalise<X, Y, P>(in[0], {}, {}, ops::optional_tensor(in, 1), ops::optional_tensor(in, 2), out, op.epsilon, ctx);
}

template <class X, class Y, class P>
void add_layer_norm(const ops::AddLayerNorm& op, Inputs in, Outputs out, Context& ctx) {
  normalise<X, Y, P>(in[0], in[1], out[0], ops::optional_tensor(in, 2), ops::optional_tensor(in, 3), out.subspan(1),
                     op.epsilon, ctx);
}

// Of the backward pass: what H200's multiprocessors hold at once, so that none waits for a second turn and there are
// few parts to sum. A function of sizes alone.
unsigned backward_blocks(const Rows& rows, const Launch& shape) {
  constexpr unsigned kMultiprocessors = 132;
  const unsigned each = shape.threads == 128 ? 6 : rows.width <= 1024 ? 4 : 2;
  return std::min(shape.blocks, kMultiprocessors * each);
}

template <class X, class Y, class P>
void layer_norm_backward(const ops::LayerNormBackward& op, Inputs in, Outputs out, Context& ctx) {
  using A = Accumulation<X>;
  const Rows rows = rows_of(in[0].shape());
  const Tensor residual = ops::optional_tensor(in, 5), narrowed = op.narrowed ? out[3] : Tensor();
  const int width = static_cast<int>(rows.width);
  Tensor parts;
  std::int64_t blocks = 0;
  if (rows.count > 0)
    with_row_layout<X, true>(rows, packed_rows(rows.width, {in[0], in[1], in[4], residual, out[0], narrowed}),
                             [&]<class L>(L, Launch shape) {
                               blocks = shape.blocks = backward_blocks(rows, shape);
                               if (op.parameters) parts = ctx.empty(kAccumulated<X>, {blocks, 2, rows.width});
                               const NormBack<X, Y, P> back{pointer<X>(in[0]),
                                                            optional_pointer<P>(in[1]),
                                                            pointer<A>(in[2]),
                                                            pointer<A>(in[3]),
                                                            pointer<Y>(in[4]),
                                                            optional_pointer<X>(residual),
                                                            pointer<X>(out[0]),
                                                            optional_pointer<Y>(narrowed),
                                                            optional_pointer<A>(parts),
                                                            rows.count,
                                                            width};
                               launch("layer_norm_backward", norm_backward_rows<L, X, Y, P>, shape, ctx, back);
                             });
  if (!op.parameters) return;
  const Launch shape{.blocks = static_cast<unsigned>((2 * rows.width + 31) / 32), .threads = 32 * kTurns};
  launch("sum_parts", sum_parts<A, P>, shape, ctx, optional_pointer<A>(parts), blocks, width, pointer<P>(out[1]),
         pointer<P>(out[2]));
}

bool is(const TensorSpec& spec, DType type) { return !spec.defined || spec.dtype == type; }

template <class X, class Y, class P>
bool serves_forward(const ops::LayerNorm& op, Specs in) {
  return columns_fit(in[0]) && in[0].dtype == kType<X> && op.output.value_or(kType<X>) == kType<Y> &&
         is(ops::optional_spec(in, 1), kType<P>) && is(ops::optional_spec(in, 2), kType<P>);
}
template <class X, class Y, class P>
bool serves_add(const ops::AddLayerNorm& op, Specs in) {
  return columns_fit(in[0]) && in[0].dtype == kType<X> && in[1].dtype == kType<Y> &&
         op.output.value_or(kType<X>) == kType<Y> && is(ops::optional_spec(in, 2), kType<P>) &&
         is(ops::optional_spec(in, 3), kType<P>);
}
// Without gamma, its gradients have the accumulation type.
template <class X, class Y, class P>
bool serves_backward(const ops::LayerNormBackward& op, Specs in) {
  return columns_fit(in[0]) && in[0].dtype == kType<X> && in[4].dtype == kType<Y> &&
         op.narrowed.value_or(kType<Y>) == kType<Y> &&
         (in[1].defined ? in[1].dtype == kType<P> : std::is_same_v<P, Accumulation<X>>);
}

template <class X, class Y, class P>
void add_types(KernelTable& table, std::string_view name) {
  table.add<ops::LayerNorm>(name, layer_norm<X, Y, P>, serves_forward<X, Y, P>);
  table.add<ops::AddLayerNorm>(name, add_layer_norm<X, Y, P>, serves_add<X, Y, P>);
  table.add<ops::LayerNormBackward>(name, layer_norm_backward<X, Y, P>, serves_backward<X, Y, P>);
}

}  // namespace

void register_layer_norm(KernelTable& table) {
  using Narrow = __nv_bfloat16;
  add_types<float, float, float>(table, "cuda f32");
  add_types<float, Narrow, float>(table, "cuda f32 and bf16");
  add_types<Narrow, Narrow, Narrow>(table, "cuda bf16");
  add_types<Narrow, Narrow, float>(table, "cuda bf16, f32 parameters");
  add_types<double, double, double>(table, "cuda f64");
}

}  // namespace strata::cuda
