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

float value(float x) { return x; }
float value(std::uint16_t x) { return static_cast<float>(BFloat16::from_bits(x)); }

template <class T>
void cross_entropy(const ops::CrossEntropy& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = softmax_of<T>(simd(ctx, softmax_simd));
  const T* x = memory<T>(in[0]);
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
      loss[row] = static_cast<float>(log_sum + (largest - static_cast<double>(value(x[row * width + target[row]]))));
    }
  });
}

template <class T>
void cross_entropy_backward(const ops::CrossEntropyBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = softmax_of<T>(simd(ctx, softmax_simd));
  const T* x = memory<T>(in[0]);
  const std::int64_t* target = in[1].data<std::int64_t>();
  const float *lse = memory<float>(in[2]), *dloss = memory<float>(in[3]);
  T* dx = memory<T>(out[0]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      T* to = dx + row * width;
      if (target[row] == op.ignore) {
        std::fill(to, to + width, T{});
        continue;
      }
      check_target(op.kName, target[row], row, width);
      kernels.exponentials(x + row * width, lse[row], dloss[row], to, width);
      const double logit = value(x[row * width + target[row]]), grad = dloss[row];
      put(out[0], row * width + target[row], grad * (std::exp(logit - static_cast<double>(lse[row])) - 1));
    }
  });
}

}  // namespace

void add_cross_entropy(KernelTable& table) {
  add_rows<ops::CrossEntropy>(table, cross_entropy<float>, cross_entropy<std::uint16_t>);
  add_rows<ops::CrossEntropyBackward>(table, cross_entropy_backward<float>, cross_entropy_backward<std::uint16_t>);
}

}  // namespace strata::cpu
