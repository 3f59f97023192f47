// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <algorithm>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/simd/layer_norm.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

template <class X, class Y>
const LayerNormKernels<X, Y>& kernels_of(const Context& ctx) {
  const auto& kernels = simd(ctx, layer_norm_simd);
  if constexpr (sizeof(Y) == 4)
    return kernels.f32;
  else if constexpr (sizeof(X) == 4)
    return kernels.mixed;
  else
    return kernels.bf16;
}

// A parameter as floats, widened where it is bf16; null where it is not given.
class Parameter {
 public:
  Parameter(Inputs in, std::size_t i, const Context& ctx) {
    if (i >= in.size() || !in[i].defined()) return;
    if (in[i].dtype() == DType::f32) {
      values_ = memory<const float>(in[i]);
      return;
    }
    wide_.resize(static_cast<std::size_t>(in[i].numel()));
    simd(ctx, elementwise_simd).widen(memory<const std::uint16_t>(in[i]), wide_.data(), in[i].numel());
    values_ = wide_.data();
  }
  const float* get() const { return values_; }

 private:
  std::vector<float> wide_;
  const float* values_ = nullptr;
};

template <class X, class Y>
void layer_norm(const ops::LayerNorm& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = kernels_of<X, Y>(ctx);
  const X* x = memory<X>(in[0]);
  const Parameter gamma(in, 1, ctx), beta(in, 2, ctx);
  Y* y = memory<Y>(out[0]);
  float *mean = memory<float>(out[1]), *rstd = memory<float>(out[2]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * width;
    kernels.forward(x + at, gamma.get(), beta.get(), y + at, mean + begin, rstd + begin, end - begin, width,
                    static_cast<float>(op.epsilon));
  });
}

template <class X, class Y>
void add_layer_norm_rows(const ops::AddLayerNorm& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = kernels_of<X, Y>(ctx);
  const X* x = memory<X>(in[0]);
  const Y* branch = memory<Y>(in[1]);
  const Parameter gamma(in, 2, ctx), beta(in, 3, ctx);
  X* h = memory<X>(out[0]);
  Y* y = memory<Y>(out[1]);
  float *mean = memory<float>(out[2]), *rstd = memory<float>(out[3]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * width;
    kernels.add_forward(x + at, branch + at, gamma.get(), beta.get(), h + at, y + at, mean + begin, rstd + begin,
                        end - begin, width, static_cast<float>(op.epsilon));
  });
}

// Every chunk of rows sums its own dgamma and dbeta [2, C]; the chunks are then added in their order.
void add_chunks(const float* parts, std::int64_t chunks, std::int64_t width, const Tensor& dgamma, const Tensor& dbeta,
                const Context& ctx) {
  parallel_for(ctx, 2 * width, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      double sum = 0;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) sum += static_cast<double>(parts[chunk * 2 * width + c]);
      put(c < width ? dgamma : dbeta, c % width, sum);
    }
  });
}

template <class X, class Y>
void layer_norm_backward(const ops::LayerNormBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = kernels_of<X, Y>(ctx);
  const X *x = memory<X>(in[0]), *residual = optional_memory<X>(in, 5);
  const float *mean = memory<float>(in[2]), *rstd = memory<float>(in[3]);
  const Parameter gamma(in, 1, ctx);
  const Y* dy = memory<Y>(in[4]);
  X* dx = memory<X>(out[0]);
  auto* narrowed = op.narrowed ? memory<std::uint16_t>(out[3]) : nullptr;
  const auto [rows, width] = rows_of(in[0].shape());
  const std::int64_t grain = std::max(rows_a_chunk(width), (rows + 127) / 128), chunks = chunks_of(rows, grain);
  const Tensor parts = op.parameters ? ctx.empty(DType::f32, {chunks, 2, width}) : Tensor();
  parallel_for(ctx, rows, grain, [&, grain = grain, width = width](std::int64_t begin, std::int64_t end) {
    float* part = op.parameters ? memory<float>(parts) + begin / grain * 2 * width : nullptr;
    if (op.parameters) std::fill(part, part + 2 * width, 0.0f);
    const std::int64_t at = begin * width;
    kernels.backward(x + at, gamma.get(), mean + begin, rstd + begin, dy + at, residual ? residual + at : nullptr,
                     dx + at, narrowed ? narrowed + at : nullptr, part, op.parameters ? part + width : nullptr,
                     end - begin, width);
  });
  if (op.parameters) add_chunks(memory<float>(parts), chunks, width, out[1], out[2], ctx);
}

constexpr bool is(const TensorSpec& spec, DType type) { return !spec.defined || spec.dtype == type; }
bool parameter_fits(Specs inputs, std::size_t i) {
  const TensorSpec spec = ops::optional_spec(inputs, i);
  return is(spec, DType::f32) || is(spec, DType::bf16);
}

template <DType X, DType Y>
bool serves_forward(const ops::LayerNorm& op, Specs in) {
  return in[0].dtype == X && op.output.value_or(X) == Y && parameter_fits(in, 1) && parameter_fits(in, 2);
}
template <DType X, DType Y>
bool serves_add(const ops::AddLayerNorm& op, Specs in) {
  return in[0].dtype == X && in[1].dtype == Y && op.output.value_or(X) == Y && parameter_fits(in, 2) &&
         parameter_fits(in, 3);
}
template <DType X, DType Y>
bool serves_backward(const ops::LayerNormBackward& op, Specs in) {
  return in[0].dtype == X && in[4].dtype == Y && op.narrowed.value_or(DType::bf16) == DType::bf16 &&
         parameter_fits(in, 1);
}

// The rows' type and that of what is normed.
template <DType X, DType Y, class Rows, class Normed>
void add_types(KernelTable& table, std::string_view name) {
  table.add<ops::LayerNorm>(name, layer_norm<Rows, Normed>, serves_forward<X, Y>);
  table.add<ops::AddLayerNorm>(name, add_layer_norm_rows<Rows, Normed>, serves_add<X, Y>);
  table.add<ops::LayerNormBackward>(name, layer_norm_backward<Rows, Normed>, serves_backward<X, Y>);
}

}  // namespace

void add_layer_norm(KernelTable& table) {
  add_types<DType::f32, DType::f32, float, float>(table, "vector f32");
  add_types<DType::f32, DType::bf16, float, std::uint16_t>(table, "vector f32 and bf16");
  add_types<DType::bf16, DType::bf16, std::uint16_t, std::uint16_t>(table, "vector bf16");
}

}  // namespace strata::cpu
