// SPDX-License-Identifier: Apache-2.0
#include "strata/models/bert_text_encoder.hpp"
#include "strata/ops/dropout.hpp"
#include "strata/ops/gather.hpp"

namespace strata::models {
namespace {

nn::ParameterPtr table(const Context& ctx, DType dtype, const char* name, LogicalAxis rows, std::int64_t width) {
  const Shape shape{rows.size, width};
  return std::make_shared<nn::Parameter>(name, ctx.zeros(ops::accumulation_type(dtype), shape),
                                         std::vector<LogicalAxis>{std::move(rows), {"embed", width}},
                                         nn::Init::normal(0.02));
}

Variable drop(Tape& tape, const Variable& x, const nn::Sequences& sequences, double rate, std::uint32_t layer) {
  if (rate == 0) return x;
  return tape.apply1(ops::Dropout{rate, {tape.mode().seed, RandomPurpose::dropout}, layer},
                     {x, tape.constant(sequences.random_keys), tape.constant(sequences.segments.device_offsets())});
}

}  // namespace

BertEmbeddings::BertEmbeddings(const Context& ctx, DType dtype, const BertConfig& config)
    : norm(ctx, ops::accumulation_type(dtype), config.width, config.norm_epsilon) {
  words = add(table(ctx, dtype, "word_embeddings.weight", {"vocabulary", config.vocabulary}, config.width));
  positions = add(table(ctx, dtype, "position_embeddings.weight", {"positions", config.positions}, config.width));
  types = add(table(ctx, dtype, "token_type_embeddings.weight", {"token_types", config.token_types}, config.width));
  add("LayerNorm", norm);
}

Variable BertEmbeddings::forward(Tape& tape, const Variable& ids, const TextLayout& layout, double rate) {
  return bordered(tape, ids, [&](const Variable& in) {
    const Variable found = tape.apply1(ops::GatherRows{}, {tape.leaf(words), in});  // [T, C]
    const Variable placed = tape.apply1(ops::AddRows{}, {found, tape.leaf(positions), tape.constant(layout.positions)});
    const Variable typed = tape.apply1(ops::AddRows{}, {placed, tape.leaf(types), tape.constant(layout.types)});
    return drop(tape, norm.forward(tape, typed), layout.sequences, rate, 0);
  });
}

BertLayer::BertLayer(const Context& ctx, DType dtype, const BertConfig& config, std::int64_t index)
    : attention(ctx, dtype, config.width, config.heads),
      attention_norm(ctx, ops::accumulation_type(dtype), config.width, config.norm_epsilon),
      mlp(ctx, dtype, config.width, config.hidden),
      norm(ctx, ops::accumulation_type(dtype), config.width, config.norm_epsilon),
      dtype_(dtype),
      index_(static_cast<std::uint32_t>(index)) {
  add("attention", attention);
  add("attention.LayerNorm", attention_norm);
  add("mlp", mlp);
  add("LayerNorm", norm);
}

// Rows between the products are of the accumulation type; what goes into a product is of the layer's.
Variable BertLayer::forward(Tape& tape, const Variable& input, const nn::Sequences& sequences, double rate) {
  return bordered(tape, input, [&](const Variable& x) {
    const Variable attended = attention.forward(tape, tape.cast(x, dtype_), sequences);
    const Variable h =
        attention_norm.forward_sum(tape, x, drop(tape, attended, sequences, rate, 2 * index_ + 1)).normed;
    const Variable widened = mlp.forward(tape, tape.cast(h, dtype_));
    return norm.forward_sum(tape, h, drop(tape, widened, sequences, rate, 2 * index_ + 2)).normed;
  });
}

}  // namespace strata::models
