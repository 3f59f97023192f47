// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/distributed_batch.hpp"

#include <numeric>

namespace strata::engine {

objectives::GlobalBatch::Rows DistributedBatch::gather_rows(Context& ctx, const Tensor& mine) {
  const auto rank = static_cast<std::ptrdiff_t>(group_.rank());
  std::vector<std::int64_t> own{mine.dim(0)}, counts(static_cast<std::size_t>(group_.size()));
  const auto ranks = static_cast<std::int64_t>(counts.size());
  group_.all_gather(Tensor::borrow(own.data(), DType::i64, {1}), Tensor::borrow(counts.data(), DType::i64, {ranks}))
      .wait();
  const std::int64_t all = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  const std::int64_t first = std::accumulate(counts.begin(), counts.begin() + rank, std::int64_t{0});
  const Tensor gathered = ctx.empty(mine.dtype(), mine.shape().with(0, all));
  if (gathered.numel() > 0)
    ctx.backend().wait(ctx.stream(), group_.all_gather(mine, gathered, ctx.stream(), std::move(counts)));
  return {gathered, first};
}

Tensor DistributedBatch::sum(Context& ctx, const Tensor& mine) {
  const Tensor total = ctx.empty(mine.dtype(), mine.shape());
  ctx.backend().wait(ctx.stream(), group_.all_reduce(mine, total, comm::Reduction::sum, ctx.stream()));
  return total;
}

}  // namespace strata::engine
