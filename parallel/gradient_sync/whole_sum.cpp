// SPDX-License-Identifier: Apache-2.0
#include "parallel/gradient_sync/whole_sum.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"

namespace strata::parallel {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: 64 bytes of f32

}  // namespace

WholeSum::WholeSum(comm::Communicator& group, const std::vector<nn::ParameterPtr>& parameters) : group_(group) {
  for (const auto& parameter : parameters) {
    if (!parameter->trainable()) continue;
    const DType dtype = parameter->grad_type();
    auto at = std::ranges::find(buffers_, dtype, &Buffer::dtype);
    if (at == buffers_.end()) at = buffers_.insert(at, Buffer{dtype, 0, {}, {}});
    at->parts.push_back({parameter, at->elements});
    at->elements += (parameter->spec().shape.numel() + kAlignment - 1) / kAlignment * kAlignment;
  }
}

void WholeSum::begin(Context& ctx) {
  Context gradients = ctx.labelled(MemoryKind::gradients);
  for (auto& buffer : buffers_) {
    if (!buffer.memory.defined()) {
      buffer.memory = gradients.empty(buffer.dtype, {buffer.elements});
      group_.will_reuse(buffer.memory);
    }
    ops::fill(ctx, buffer.memory, 0);
    for (const auto& [parameter, begin] : buffer.parts) {
      const Shape& shape = parameter->spec().shape;
      parameter->set_grad(buffer.memory.slice(0, begin, begin + shape.numel()).reshape(shape));
    }
  }
}

void WholeSum::finish(Context& ctx) {
  if (group_.size() == 1) return;
  for (const auto& buffer : buffers_)
    ctx.backend().wait(ctx.stream(), group_.all_reduce(buffer.memory, comm::Reduction::sum, ctx.stream()));
}

}  // namespace strata::parallel
