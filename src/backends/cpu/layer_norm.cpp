// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <algorithm>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/layer_norm.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

void layer_norm(const ops::LayerNorm& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, layer_norm_simd);
  const float* x = memory<float>(in[0]);
  const float* gamma = optional_memory<float>(in, 1);
  const float* beta = optional_memory<float>(in, 2);
  float *y = memory<float>(out[0]), *mean = memory<float>(out[1]), *rstd = memory<float>(out[2]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * width;
    kernels.forward(x + at, gamma, beta, y + at, mean + begin, rstd + begin, end - begin, width,
                    static_cast<float>(op.epsilon));
  });
}

// Every chunk of rows sums its own dgamma and dbeta [2, C]; the chunks are then added in their order.
void add_chunks(const float* parts, std::int64_t chunks, std::int64_t width, float* dgamma, float* dbeta,
                const Context& ctx) {
  parallel_for(ctx, 2 * width, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      double sum = 0;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) sum += static_cast<double>(parts[chunk * 2 * width + c]);
      (c < width ? dgamma[c] : dbeta[c - width]) = static_cast<float>(sum);
    }
  });
}

void layer_norm_backward(const ops::LayerNormBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, layer_norm_simd);
  const float *x = memory<float>(in[0]), *mean = memory<float>(in[2]), *rstd = memory<float>(in[3]);
  const float* gamma = optional_memory<float>(in, 1);
  const float* dy = memory<float>(in[4]);
  float* dx = memory<float>(out[0]);
  const auto [rows, width] = rows_of(in[0].shape());
  const std::int64_t grain = std::max(rows_a_chunk(width), (rows + 127) / 128), chunks = chunks_of(rows, grain);
  const Tensor parts = op.parameters ? ctx.empty(DType::f32, {chunks, 2, width}) : Tensor();
  parallel_for(ctx, rows, grain, [&, grain = grain, width = width](std::int64_t begin, std::int64_t end) {
    float* part = op.parameters ? memory<float>(parts) + begin / grain * 2 * width : nullptr;
    if (op.parameters) std::fill(part, part + 2 * width, 0.0f);
    const std::int64_t at = begin * width;
    kernels.backward(x + at, gamma, mean + begin, rstd + begin, dy + at, dx + at, part,
                     op.parameters ? part + width : nullptr, end - begin, width);
  });
  if (op.parameters) add_chunks(memory<float>(parts), chunks, width, memory<float>(out[1]), memory<float>(out[2]), ctx);
}

}  // namespace

void add_layer_norm(KernelTable& table) {
  table.add<ops::LayerNorm>("vector f32", layer_norm, all_are<DType::f32>);
  table.add<ops::LayerNormBackward>("vector f32", layer_norm_backward, all_are<DType::f32>);
}

}  // namespace strata::cpu
