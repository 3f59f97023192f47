// SPDX-License-Identifier: Apache-2.0
#include "strata/objectives/image_text.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"

namespace strata::objectives {
namespace {

DType embedding_type(const nn::Module& tower) { return tower.parameters().front()->master_type(); }

nn::ParameterPtr scalar(const Context& ctx, DType dtype, const std::string& name, std::size_t pair, double value) {
  return std::make_shared<nn::Parameter>(pair == 0 ? name : fmt::format("{}_{}", name, pair),
                                         nn::tensor_from(ctx, dtype, {}, {value}), std::vector<LogicalAxis>{},
                                         nn::Init{nn::Init::Kind::constant, value});
}

// Where it lies: reading it back would make the host wait.
void clamp(Context& ctx, const nn::Parameter& parameter, double least, double most) {
  const Tensor& value = parameter.master();
  ops::run_into(ctx, ops::Clamp{least, most}, {value}, {value});
  if (!value.same_view(parameter.value()))
    ops::run_into(ctx, ops::Cast{parameter.value().dtype()}, {value}, {parameter.value()});
}

}  // namespace

ImageTextObjective::ImageTextObjective(const Context& ctx, std::unique_ptr<models::VisualEncoder> visual,
                                       std::unique_ptr<models::TextEncoder> text, const ImageTextOptions& options)
    : options_(options), visual_(std::move(visual)), text_(std::move(text)) {
  STRATA_CHECK(visual_->embedding_width() == text_->embedding_width(), usage, "image-text",
               fmt::format("the image tower gives embeddings of width {}, the text tower of {}",
                           visual_->embedding_width(), text_->embedding_width()),
               "give both the same joint width");
  STRATA_CHECK(embedding_type(*visual_) == embedding_type(*text_), usage, "image-text",
               fmt::format("the image tower computes embeddings in {}, the text tower in {}",
                           name_of(embedding_type(*visual_)), name_of(embedding_type(*text_))),
               "make both in the same type");
  add("visual", *visual_);
  add("text", *text_);
  const DType dtype = embedding_type(*visual_);
  for (std::size_t pair = 0; pair < static_cast<std::size_t>(pairs()); ++pair) {
    logit_scale.push_back(add(scalar(ctx, dtype, "logit_scale", pair, options.logit_scale)));
    if (options.kind == ContrastiveKind::siglip)
      logit_bias.push_back(add(scalar(ctx, dtype, "logit_bias", pair, options.logit_bias)));
  }
  name_parameters();
}

std::vector<TensorSpec> ImageTextObjective::features() const {
  const TensorSpec one{logit_scale.front()->spec().dtype, {0, visual_->embedding_width()}};
  return std::vector<TensorSpec>(2 * logit_scale.size(), one);
}

std::vector<Variable> ImageTextObjective::encode_images(Tape& tape, const models::StudyBatch& studies) {
  return separated(tape, visual_->forward(tape, studies), studies.studies());
}

std::vector<Variable> ImageTextObjective::separated(Tape& tape, const Variable& embeddings, std::int64_t studies) {
  if (pairs() == 1) return {embeddings};
  const std::int64_t width = visual_->embedding_width();
  std::vector<Variable> each;
  for (const auto& part : tape.columns(tape.reshape(embeddings, {studies, pairs() * width}),
                                       std::vector<std::int64_t>(logit_scale.size(), width)))
    each.push_back(part);
  return each;
}

Variable ImageTextObjective::encode_texts(Tape& tape, const models::TextBatch& texts) {
  return text_->forward(tape, texts);
}

void ImageTextObjective::prepare(Tape& tape, MicroBatch& batch) {
  STRATA_CHECK(
      batch.texts.size() == logit_scale.size(), data, "image-text",
      fmt::format("{} {} a study for {} image {}", batch.texts.size(), batch.texts.size() == 1 ? "text" : "texts",
                  pairs(), pairs() == 1 ? "embedding" : "embeddings"),
      "name as many parts of the report as the image tower gives embeddings");
  for (const auto& texts : batch.texts)
    STRATA_CHECK(texts.texts() == batch.studies.studies(), data, "image-text",
                 fmt::format("{} texts for {} studies", texts.texts(), batch.studies.studies()));
  check(batch.studies);
  batch.studies = visual_->choose(tape, batch.studies);
  batch.plan = visual_->plan(tape.mode(), batch.studies);
}

void ImageTextObjective::place(const Context& ctx, MicroBatch& batch) {
  batch.layout = std::make_shared<const nn::StudyLayout>(ctx, *batch.plan);
  batch.text_layouts.clear();
  for (const auto& texts : batch.texts) batch.text_layouts.push_back(text_->layout(ctx, texts));
}

std::vector<Variable> ImageTextObjective::encode(Tape& tape, const MicroBatch& batch) {
  if (!batch.layout) {
    MicroBatch placed = batch;
    if (!placed.plan) prepare(tape, placed);
    place(tape.ctx(), placed);
    return encode(tape, placed);
  }
  std::vector<Variable> features =
      separated(tape, visual_->forward(tape, batch.studies, batch.layout), batch.studies.studies());
  for (const auto& layout : batch.text_layouts) features.push_back(text_->forward(tape, layout));
  return features;
}

ContrastiveLoss ImageTextObjective::pair_loss(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine,
                                              std::size_t pair) {
  const Tensor &image = mine[pair], &text = mine[logit_scale.size() + pair];
  if (options_.kind == ContrastiveKind::clip)
    return clip_loss(ctx, global, image, text, logit_scale[pair]->value(), options_.blocks);
  return siglip_loss(ctx, global, image, text, logit_scale[pair]->value(), logit_bias[pair]->value(), options_.blocks);
}

Outcome ImageTextObjective::loss(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine) {
  STRATA_CHECK(mine.size() == 2 * logit_scale.size(), internal, "image-text", fmt::format("{} features", mine.size()));
  const double share = 1.0 / static_cast<double>(pairs());
  const auto shared = [&](const Tensor& x) { return pairs() == 1 ? x : ops::run1(ctx, ops::Scale{share}, {x}); };
  Outcome outcome;
  outcome.gradients.resize(mine.size());
  for (std::size_t pair = 0; pair < logit_scale.size(); ++pair) {
    const ContrastiveLoss loss = pair_loss(ctx, global, mine, pair);
    if (outcome.loss.defined())
      ops::accumulate(ctx, outcome.loss, shared(loss.loss));
    else
      outcome.loss = shared(loss.loss);
    outcome.gradients[pair] = shared(loss.image);
    outcome.gradients[logit_scale.size() + pair] = shared(loss.text);
    if (logit_scale[pair]->trainable()) logit_scale[pair]->accumulate(ctx, shared(loss.logit_scale));
    if (loss.logit_bias.defined() && logit_bias[pair]->trainable())
      logit_bias[pair]->accumulate(ctx, shared(loss.logit_bias));
    outcome.figures.emplace_back(logit_scale[pair]->local_name(), logit_scale[pair]->value());
    if (loss.logit_bias.defined())
      outcome.figures.emplace_back(logit_bias[pair]->local_name(), logit_bias[pair]->value());
  }
  return outcome;
}

double ImageTextObjective::loss_alone(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine) {
  double sum = 0;
  for (std::size_t pair = 0; pair < logit_scale.size(); ++pair)
    sum += ctx.item(pair_loss(ctx, global, mine, pair).loss);
  return sum / static_cast<double>(pairs());
}

Work ImageTextObjective::work(const MicroBatch& batch) {
  STRATA_CHECK(batch.layout != nullptr, internal, "image-text", "the work of a batch that was not placed");
  Work work{batch.layout->patch_tokens(), models::forward_flops(visual_->chain(batch.studies, *batch.layout))};
  for (const auto& layout : batch.text_layouts) {
    work.tokens += layout->sequences.segments.total();
    work.forward_flops += models::forward_flops(text_->chain(layout));
  }
  return work;
}

void ImageTextObjective::after_step(Context& ctx) {
  for (const auto& scale : logit_scale) clamp(ctx, *scale, 0, options_.largest_logit_scale);
}

}  // namespace strata::objectives
