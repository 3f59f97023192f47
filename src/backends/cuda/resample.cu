// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/resample.hpp"

#include <algorithm>
#include <vector>

#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"

namespace strata::cuda {
namespace {

// The map as every output sample sees it: weights [to, from], of which [first[i], last[i]) are not 0 for sample i.
struct Bands {
  std::vector<double> weights;
  std::vector<std::int32_t> bounds;  // first and last, in turn
};

Bands bands_of(const ops::Resample& op) {
  const auto matrix = ops::resample_matrix(op.filter, op.in, op.out);  // [out, in]
  const std::int64_t to = op.adjoint ? op.in : op.out, from = op.adjoint ? op.out : op.in;
  Bands bands;
  bands.weights.reserve(matrix.size());
  for (std::int64_t i = 0; i < to; ++i) {
    std::int64_t first = from, last = 0;
    for (std::int64_t j = 0; j < from; ++j) {
      bands.weights.push_back(matrix[static_cast<std::size_t>(op.adjoint ? j * op.in + i : i * op.in + j)]);
      if (bands.weights.back() == 0) continue;
      first = std::min(first, j);
      last = j + 1;
    }
    bands.bounds.push_back(static_cast<std::int32_t>(first));
    bands.bounds.push_back(static_cast<std::int32_t>(last));
  }
  return bands;
}

// x [outer, from, inner] -> y [outer, to, inner], a thread an element.
template <class T>
__global__ void apply(const T* x, const double* weights, const std::int32_t* bounds, T* y, std::int64_t numel,
                      std::int64_t from, std::int64_t to, std::int64_t inner) {
  using A = Accumulation<T>;
  for (std::int64_t at = first_item(); at < numel; at += all_items()) {
    const std::int64_t row = at / inner, c = at - row * inner, o = row / to, i = row - o * to;
    const int last = bounds[2 * i + 1];
    A sum = 0;
    for (int j = bounds[2 * i]; j < last; ++j)
      sum += static_cast<A>(weights[i * from + j]) * widen(x[(o * from + j) * inner + c]);
    y[at] = narrow<T>(sum);
  }
}

void resample(const ops::Resample& op, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t numel = out[0].numel();
  if (numel == 0) return;
  const Bands bands = bands_of(op);
  const std::int64_t from = in[0].dim(op.axis), to = out[0].dim(op.axis);
  const Tensor weights = ctx.tensor(bands.weights, {to, from}), bounds = ctx.tensor(bands.bounds, {to, 2});
  with_floating(out[0].dtype(), [&]<class T>(T) {
    launch("apply", apply<T>, over(numel), ctx, pointer<T>(in[0]), pointer<double>(weights),
           pointer<std::int32_t>(bounds), pointer<T>(out[0]), numel, from, to, out[0].shape().inner(op.axis));
  });
}

}  // namespace

void register_resample(KernelTable& table) { table.add<ops::Resample>("cuda", resample, serves::anything); }

}  // namespace strata::cuda
