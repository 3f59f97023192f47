// SPDX-License-Identifier: Apache-2.0
#include "strata/models/bert_text_encoder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/projection.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/regroup.hpp"

namespace strata::models {
namespace {

const BertConfig& validated(const BertConfig& config) {
  config.validate();
  return config;
}

// Judged here, on the host, where the text is known; ops see numbers alone.
void check_range(const TextBatch& batch, const std::vector<std::int32_t>& values, std::int64_t limit, const char* what,
                 const char* hint) {
  for (std::int64_t text = 0; text < batch.texts(); ++text)
    for (auto i = batch.offsets[static_cast<std::size_t>(text)]; i < batch.offsets[static_cast<std::size_t>(text) + 1];
         ++i) {
      const auto value = values[static_cast<std::size_t>(i)];
      STRATA_CHECK(value >= 0 && value < limit, data, "text model",
                   fmt::format("text {} of the batch has {} number {}, the model knows {}", text, what, value, limit),
                   hint);
    }
}

std::vector<std::int32_t> positions_of(const nn::Segments& texts, std::int64_t limit) {
  std::vector<std::int32_t> positions;
  positions.reserve(static_cast<std::size_t>(texts.total()));
  for (std::int64_t text = 0; text < texts.count(); ++text) {
    STRATA_CHECK(
        texts.length(text) <= limit, data, "text model",
        fmt::format("text {} of the batch has {} pieces, the model has {} positions", text, texts.length(text), limit),
        "tokenize with a smaller context");
    for (std::int64_t i = 0; i < texts.length(text); ++i) positions.push_back(static_cast<std::int32_t>(i));
  }
  return positions;
}

Tensor random_keys(const Context& ctx, const TextBatch& batch) {
  std::vector<std::int64_t> keys;
  for (std::size_t i = 0; i < batch.ordinals.size(); ++i)
    keys.insert(keys.end(), {batch.ordinals[i], batch.parts.empty() ? 0 : batch.parts[i]});
  return ctx.tensor(keys, {batch.texts(), 2});
}

Tensor first_rows(const Context& ctx, const nn::Segments& texts) {
  std::vector<std::int32_t> rows;
  for (std::int64_t i = 0; i < texts.count(); ++i) rows.push_back(static_cast<std::int32_t>(texts.begin(i)));
  return ctx.tensor(rows, {texts.count()});
}

}  // namespace

BertTextEncoder::BertTextEncoder(const Context& ctx, DType dtype, const BertConfig& config)
    : embeddings(ctx, dtype, validated(config)),
      proj(ctx, dtype, config.width, config.joint_width, projection_options(config.width, config.joint_width)),
      config_(config) {
  add("transformer.embeddings", embeddings);
  for (std::int64_t i = 0; i < config.depth; ++i) {
    layers.push_back(std::make_unique<BertLayer>(ctx, dtype, config, i));
    add(fmt::format("transformer.encoder.layer.{}", i), *layers.back());
  }
  tower_ = parameters();
  add("proj", proj);
  name_parameters("text");
}

TextLayoutPtr BertTextEncoder::layout(const Context& ctx, const TextBatch& batch) const {
  check(batch);
  check_range(batch, batch.ids, config_.vocabulary, "a piece", "is the vocabulary the model's own?");
  const std::vector<std::int32_t> types =
      batch.types.empty() ? std::vector<std::int32_t>(batch.ids.size()) : batch.types;
  check_range(batch, types, config_.token_types, "a token type", "leave token types out");
  const auto texts = nn::Segments::from_offsets(ctx, batch.offsets);
  const Shape rows{texts.total()};
  return std::make_shared<const TextLayout>(TextLayout{{texts, random_keys(ctx, batch)},
                                                       ctx.tensor(batch.ids, rows),
                                                       ctx.tensor(positions_of(texts, config_.positions), rows),
                                                       ctx.tensor(types, rows)});
}

Variable BertTextEncoder::layer(Tape& tape, const Variable& x, const TextLayoutPtr& layout, std::size_t index) {
  BertLayer& layer = *layers[index];
  const double rate = this->rate(tape);
  const Variable in[] = {x};
  return tape
      .checkpoint("layer", in,
                  [&layer, layout, rate](Tape& inner, Tape::Span rows) {
                    return Tape::Variables{layer.forward(inner, rows[0], layout->sequences, rate)};
                  })
      .front();
}

Variable BertTextEncoder::head(Tape& tape, const Variable& x, const nn::Segments& texts) {
  if (config_.pooling == TextPooling::mean)
    return project(tape, proj, tape.apply1(ops::SegmentMean{0}, {x, tape.constant(texts.device_offsets())}));
  return project(tape, proj, tape.apply1(ops::GatherRows{}, {x, tape.constant(first_rows(tape.ctx(), texts))}));
}

std::vector<Stage> BertTextEncoder::chain(const TextLayoutPtr& layout) {
  const nn::Segments& texts = layout->sequences.segments;
  const auto rows = static_cast<double>(texts.total()), width = static_cast<double>(config_.width),
             hidden = static_cast<double>(config_.hidden);
  const double layer_flops =
      2 * rows * width * (4 * width + 2 * hidden) + 4 * static_cast<double>(texts.pairs()) * width;
  std::vector<Stage> stages;
  stages.push_back({"transformer.embeddings", [this, layout](Tape& tape, const nn::Tokens& in) {
                      return nn::Tokens{embeddings.forward(tape, in.rows, *layout, rate(tape)), {}, in.level};
                    }});
  for (std::size_t i = 0; i < layers.size(); ++i)
    stages.push_back({fmt::format("transformer.encoder.layer.{}", i),
                      [this, layout, i](Tape& tape, const nn::Tokens& in) {
                        return nn::Tokens{layer(tape, in.rows, layout, i), {}, in.level};
                      },
                      layer_flops});
  stages.push_back({"proj",
                    [this, layout](Tape& tape, const nn::Tokens& in) {
                      return nn::Tokens{head(tape, in.rows, layout->sequences.segments), {}, in.level};
                    },
                    2 * static_cast<double>(texts.count()) * width * static_cast<double>(config_.joint_width)});
  return stages;
}

void BertTextEncoder::lock(std::int64_t free_layers, bool norms_train) {
  const auto depth = static_cast<std::int64_t>(layers.size());
  STRATA_CHECK(free_layers >= 0 && free_layers <= depth, usage, "text model",
               fmt::format("{} layers are to stay free, the model has {}", free_layers, depth));
  for (const auto& parameter : tower_) parameter->set_trainable(false);
  for (auto i = static_cast<std::size_t>(depth - free_layers); i < layers.size(); ++i)
    for (const auto& parameter : layers[i]->parameters()) parameter->set_trainable(true);
  if (!norms_train) return;
  std::vector<const nn::LayerNorm*> norms{&embeddings.norm};
  for (const auto& layer : layers) norms.insert(norms.end(), {&layer->attention_norm, &layer->norm});
  for (const auto* norm : norms) {
    norm->weight->set_trainable(true);
    norm->bias->set_trainable(true);
  }
}

bool BertTextEncoder::trains() const { return std::ranges::any_of(tower_, &nn::Parameter::trainable); }

}  // namespace strata::models
