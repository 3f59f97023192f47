// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/cross_entropy.hpp"

#include <fmt/format.h>

#include <cmath>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/softmax.hpp"
#include "backends/cpu/threads.hpp"
#include "strata/base/error.hpp"

namespace strata::cpu {
namespace {

void check_target(std::string_view op, std::int64_t target, std::int64_t row, std::int64_t classes) {
  STRATA_CHECK(target >= 0 && target < classes, data, op,
               fmt::format("row {} has target {}, but there are {} classes", row, target, classes));
}

void cross_entropy(const ops::CrossEntropy& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, softmax_simd);
  const float* x = memory<float>(in[0]);
  const std::int64_t* target = in[1].data<std::int64_t>();
  float *loss = memory<float>(out[0]), *lse = memory<float>(out[1]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    // The two halves of the logarithm wait in the outputs: largest in lse, sum in loss.
    kernels.log_sum(x + begin * width, lse + begin, loss + begin, end - begin, width);
    for (std::int64_t row = begin; row < end; ++row) {
      const double largest = lse[row], log_sum = std::log(static_cast<double>(loss[row]));
      lse[row] = static_cast<float>(largest + log_sum);
      loss[row] = 0;
      if (target[row] == op.ignore) continue;
      check_target(op.kName, target[row], row, width);
      loss[row] = static_cast<float>(log_sum + (largest - static_cast<double>(x[row * width + target[row]])));
    }
  });
}

void cross_entropy_backward(const ops::CrossEntropyBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, softmax_simd);
  const float* x = memory<float>(in[0]);
  const std::int64_t* target = in[1].data<std::int64_t>();
  const float *lse = memory<float>(in[2]), *dloss = memory<float>(in[3]);
  float* dx = memory<float>(out[0]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* to = dx + row * width;
      if (target[row] == op.ignore) {
        std::fill(to, to + width, 0.0f);
        continue;
      }
      check_target(op.kName, target[row], row, width);
      kernels.exponentials(x + row * width, lse[row], dloss[row], to, width);
      to[target[row]] -= dloss[row];
    }
  });
}

}  // namespace

void add_cross_entropy(KernelTable& table) {
  table.add<ops::CrossEntropy>("vector f32", cross_entropy, serves::f32);
  table.add<ops::CrossEntropyBackward>("vector f32", cross_entropy_backward, serves::f32);
}

}  // namespace strata::cpu
