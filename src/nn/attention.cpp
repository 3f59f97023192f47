// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/attention.hpp"

#include <fmt/format.h>

#include <cmath>

#include "strata/base/error.hpp"
#include "strata/nn/layers.hpp"

namespace strata::nn {
namespace {

std::int64_t checked_head_width(std::int64_t width, std::int64_t heads) {
  STRATA_CHECK(heads > 0 && width % heads == 0, usage, "attention",
               fmt::format("{} heads do not divide a width of {}", heads, width),
               "choose a number of heads that divides the width");
  const std::int64_t head_width = width / heads;
  STRATA_CHECK(head_width % 8 == 0 && head_width <= 128, usage, "attention",
               fmt::format("{} heads of a width of {} are {} wide", heads, width, head_width),
               "a head is a multiple of 8 wide, at most 128");
  return head_width;
}

Linear::Options qkv_options(std::int64_t width, std::int64_t heads) {
  Linear::Options options;
  options.out_axes = {{"qkv", 3}, {"heads", heads}, {"head_width", checked_head_width(width, heads)}};
  options.in_axes = {{"embed", width}};
  return options;
}

Linear::Options proj_options(std::int64_t width, std::int64_t heads) {
  Linear::Options options;
  options.out_axes = {{"embed", width}};
  options.in_axes = {{"heads", heads}, {"head_width", checked_head_width(width, heads)}};
  return options;
}

}  // namespace

AttentionCore::Output AttentionCore::forward(Tape& tape, const Variable& q, const Variable& k, const Variable& v,
                                             const Segments& queries, const Segments& keys, std::int64_t head_width) {
  const ops::Attention op{head_width, 1.0 / std::sqrt(static_cast<double>(head_width)), queries.longest(),
                          keys.longest()};
  auto outputs =
      tape.apply(op, {q, k, v, tape.constant(queries.device_offsets()), tape.constant(keys.device_offsets())});
  return {outputs[0], outputs[1]};
}

Attention::Attention(const Context& ctx, DType dtype, std::int64_t width, std::int64_t heads)
    : qkv(ctx, dtype, width, 3 * checked_head_width(width, heads) * heads, qkv_options(width, heads)),
      proj(ctx, dtype, width, width, proj_options(width, heads)),
      head_width_(width / heads),
      core_(std::make_shared<AttentionCore>()) {
  add("qkv", qkv);
  add("proj", proj);
  add("core", *core_);
}

void Attention::set_core(std::shared_ptr<AttentionCore> core) {
  replace_child(*core_, *core);
  core_ = std::move(core);
}

Variable Attention::forward(Tape& tape, const Variable& input, const Sequences& sequences) {
  return bordered(tape, input, [&](const Variable& x) {
    const Variable fused = qkv.forward(tape, x);  // [T, 3·A·width]
    const std::int64_t width = fused.dim(-1) / 3;
    const auto parts = tape.columns(fused, {width, width, width});
    const auto out =
        core_->forward(tape, parts[0], parts[1], parts[2], sequences.segments, sequences.segments, head_width_);
    return proj.forward(tape, out.o);
  });
}

}  // namespace strata::nn
