// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/resample.hpp"

#include <vector>

#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

// The nonzero weights of one output sample.
struct Tap {
  std::int64_t from;
  double weight;
};

std::vector<std::vector<Tap>> taps_of(const ops::Resample& op) {
  const auto matrix = ops::resample_matrix(op.filter, op.in, op.out);  // [out, in]
  std::vector<std::vector<Tap>> taps(static_cast<std::size_t>(op.adjoint ? op.in : op.out));
  for (std::int64_t o = 0; o < op.out; ++o)
    for (std::int64_t i = 0; i < op.in; ++i) {
      const double weight = matrix[static_cast<std::size_t>(o * op.in + i)];
      if (weight != 0) taps[static_cast<std::size_t>(op.adjoint ? i : o)].push_back({op.adjoint ? o : i, weight});
    }
  return taps;
}

void resample(const ops::Resample& op, Inputs in, Outputs out, Context& ctx) {
  const auto taps = taps_of(op);
  const float* x = memory<float>(in[0]);
  float* y = memory<float>(out[0]);
  const std::int64_t from = in[0].dim(op.axis), to = out[0].dim(op.axis), inner = in[0].shape().inner(op.axis);
  parallel_for(ctx, in[0].shape().outer(op.axis) * to, rows_a_chunk(inner), [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums(static_cast<std::size_t>(inner));
    for (std::int64_t row = begin; row < end; ++row) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (const Tap& tap : taps[static_cast<std::size_t>(row % to)]) {
        const float* source = x + (row / to * from + tap.from) * inner;
        for (auto& sum : sums) sum += tap.weight * static_cast<double>(*source++);
      }
      for (std::int64_t c = 0; c < inner; ++c)
        y[row * inner + c] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
    }
  });
}

}  // namespace

void add_resample(KernelTable& table) { table.add<ops::Resample>("taps in double", resample, serves::f32); }

}  // namespace strata::cpu
