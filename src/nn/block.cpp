// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/layers.hpp"
#include "strata/ops/dropout.hpp"
#include "strata/ops/elementwise.hpp"

namespace strata::nn {

Block::Block(const Context& ctx, DType dtype, Options options)
    : norm1(ctx, dtype, options.width, options.norm_epsilon),
      attn(ctx, dtype, options.width, options.heads),
      norm2(ctx, dtype, options.width, options.norm_epsilon),
      mlp(ctx, dtype, options.width, options.hidden),
      options_(options) {
  add("norm1", norm1);
  add("attn", attn);
  add("norm2", norm2);
  add("mlp", mlp);
}

Variable Block::drop(Tape& tape, const Variable& branch, const Sequences& sequences, int which) const {
  if (!drops(tape)) return branch;
  const ops::DropPathFactors draw{options_.drop_path,
                                  {tape.mode().seed, RandomPurpose::drop_path},
                                  static_cast<std::uint32_t>(2 * options_.index + which),
                                  ops::accumulation_type(branch.dtype())};
  const Tensor factors = ops::run1(tape.ctx(), draw, {sequences.random_keys});
  return tape.apply1(ops::ScaleSegments{},
                     {branch, tape.constant(factors), tape.constant(sequences.segments.device_offsets())});
}

Variable Block::forward(Tape& tape, const Variable& input, const Sequences& sequences) {
  return bordered(tape, input, [&](const Variable& x) {
    const Variable attended = attn.forward(tape, norm1.forward(tape, x), sequences);
    const auto [h, y] = norm2.forward_sum(tape, x, drop(tape, attended, sequences, 0));  // rows, [T, C]
    if (!drops(tape) && !mlp.value_hooks() && !mlp.fc2.value_hooks()) return mlp.forward(tape, y, h);
    return tape.apply1(ops::Add{}, {h, drop(tape, mlp.forward(tape, y), sequences, 1)});
  });
}

}  // namespace strata::nn
