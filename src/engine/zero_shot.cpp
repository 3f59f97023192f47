// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/zero_shot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/zero_shot_parts.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"

namespace strata::engine {
namespace {

constexpr std::size_t kTextsAtOnce = 32;  // through the text tower

void normalise(std::span<double> vector) {
  const double length = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
  STRATA_CHECK(std::isfinite(length), numeric, "zero-shot", fmt::format("an embedding of length {}", length),
               "the model's weights are not finite");
  if (length > 0)
    for (double& value : vector) value /= length;
}

std::vector<double> unit_vector(const float* row, std::int64_t width) {
  std::vector<double> result(row, row + width);
  normalise(result);
  return result;
}

double dot(std::span<const double> x, std::span<const double> y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

// All texts of a label set in one list, and which group of which class each belongs to.
struct PromptList {
  std::vector<std::string> texts;
  std::vector<std::pair<std::size_t, std::size_t>> groups;  // [2 · classes] first and last; prompts, then negatives
};

PromptList list_prompts(const ZeroShotSpec& spec, const std::string& prefix) {
  PromptList list;
  for (const auto& one : spec.classes) {
    const auto& templates = one.templates.empty() ? spec.templates : one.templates;
    for (const auto* prompts : {&one.prompts, &one.negatives}) {
      const std::size_t first = list.texts.size();
      for (auto& text : prompt_texts(*prompts, templates, spec.prefix ? prefix : ""))
        list.texts.push_back(std::move(text));
      list.groups.emplace_back(first, list.texts.size());
    }
  }
  return list;
}

// [texts, C]: a block is the same on any number of ranks; who has not computed it adds zeros.
Tensor embed_texts(Context& ctx, objectives::ImageTextObjective& model, const TextReading& reading,
                   const std::vector<std::string>& texts, comm::Communicator& world) {
  const std::int64_t width = model.text().embedding_width();
  const Tensor all = host_tensor(DType::f32, {static_cast<std::int64_t>(texts.size()), width});
  std::fill_n(all.data<float>(), all.numel(), 0.f);
  const auto ranks = static_cast<std::size_t>(world.size()), rank = static_cast<std::size_t>(world.rank());
  for (std::size_t begin = rank * kTextsAtOnce; begin < texts.size(); begin += ranks * kTextsAtOnce) {
    models::TextBatch batch;
    for (std::size_t i = begin; i < std::min(begin + kTextsAtOnce, texts.size()); ++i)
      batch.add(reading.tokenizer->encode(texts[i], reading.context), static_cast<std::int64_t>(i));
    autograd::Tape tape(ctx, {.record = false, .training = false});
    const Tensor block = io::convert_floating(ctx.download(model.encode_texts(tape, batch).value()), DType::f32);
    std::copy_n(block.data<float>(), block.numel(), all.data<float>() + static_cast<std::int64_t>(begin) * width);
  }
  world.all_reduce(all).wait();
  return all;
}

std::vector<double> group_embedding(const Tensor& texts, std::pair<std::size_t, std::size_t> group) {
  const std::int64_t width = texts.dim(1);
  if (group.first == group.second) return {};
  std::vector<double> sum(static_cast<std::size_t>(width));
  for (std::size_t i = group.first; i < group.second; ++i) {
    const auto one = unit_vector(texts.data<float>() + static_cast<std::int64_t>(i) * width, width);
    std::transform(sum.begin(), sum.end(), one.begin(), sum.begin(), std::plus<>());
  }
  normalise(sum);
  return sum;
}

// What a study says to a group of prompts: cosine and logit, means over its embeddings.
struct Answer {
  double cosine = 0, logit = 0;
};

class Judge {
 public:
  Judge(Context& ctx, objectives::ImageTextObjective& model, const EncodedStudies& studies,
        const std::vector<ClassEmbedding>& classes)
      : studies_(studies), classes_(classes) {
    for (const auto& scale : model.logit_scale) scales_.push_back(std::exp(ctx.item(scale->value())));
  }

  // [k] of a study, by the classes of a task.
  std::vector<double> scores(ZeroShotScore how, std::int64_t study, const std::vector<std::size_t>& of) const {
    std::vector<double> result;
    for (const std::size_t at : of) {
      const Answer yes = answer(study, classes_[at].prompts);
      if (how == ZeroShotScore::similarity) {
        result.push_back(yes.cosine);
      } else if (how == ZeroShotScore::prompts) {
        result.push_back(1 / (1 + std::exp(answer(study, classes_[at].negatives).logit - yes.logit)));
      } else {
        result.push_back(yes.logit);
      }
    }
    if (how == ZeroShotScore::classes) softmax(result);
    return result;
  }

 private:
  static void softmax(std::vector<double>& values) {
    const double largest = *std::ranges::max_element(values);
    double sum = 0;
    for (double& value : values) sum += value = std::exp(value - largest);
    for (double& value : values) value /= sum;
  }

  Answer answer(std::int64_t study, const std::vector<double>& group) const {
    const std::int64_t pairs = studies_.images.dim(1), width = studies_.images.dim(2);
    Answer result;
    for (std::int64_t p = 0; p < pairs; ++p) {
      const double cosine = dot(unit_vector(studies_.images.data<float>() + (study * pairs + p) * width, width), group);
      result.cosine += cosine / static_cast<double>(pairs);
      result.logit += scales_[static_cast<std::size_t>(p)] * cosine / static_cast<double>(pairs);
    }
    return result;
  }

  const EncodedStudies& studies_;
  const std::vector<ClassEmbedding>& classes_;
  std::vector<double> scales_;  // [e]
};

class Truths {
 public:
  Truths(const ZeroShotSpec& spec, const EncodedStudies& studies) : spec_(spec), studies_(studies) {}

  std::int8_t of(std::int64_t study, const ZeroShotClass& one) const {
    bool known = true;
    for (const auto& column : columns_of(one)) {
      const float value = label(study, column);
      if (static_cast<double>(value) >= spec_.positive_from) return 1;
      known = known && !std::isnan(value);
    }
    return known ? 0 : -1;
  }

  bool asked(std::int64_t study, const ZeroShotTask& task, const std::vector<std::size_t>& classes) const {
    for (const auto& condition : task.studies) {
      const auto value = static_cast<double>(label(study, condition.column));
      const bool above = !condition.least || value >= *condition.least;
      const bool below = !condition.most || value <= *condition.most;
      if (std::isnan(value) || !above || !below) return false;
    }
    return task.score != ZeroShotScore::classes ||
           std::ranges::count_if(classes, [&](std::size_t at) { return of(study, spec_.classes[at]) == 1; }) == 1;
  }

 private:
  float label(std::int64_t study, const std::string& column) const {
    const auto at = std::ranges::find(studies_.label_names, column) - studies_.label_names.begin();
    return studies_
        .labels[static_cast<std::size_t>(study) * studies_.label_names.size() + static_cast<std::size_t>(at)];
  }

  const ZeroShotSpec& spec_;
  const EncodedStudies& studies_;
};

TaskScores score_task(const ZeroShotSpec& spec, const ZeroShotTask& task, const Judge& judge, const Truths& truths,
                      std::int64_t studies) {
  TaskScores result;
  result.name = task.name;
  result.score = task.score;
  result.rule = task.threshold;
  result.threshold_value = task.threshold_value;
  const auto classes = classes_of(spec, task);
  for (const std::size_t at : classes) {
    result.classes.push_back(spec.classes[at].name);
    result.thresholds.push_back(spec.classes[at].threshold);
  }
  for (std::int64_t study = 0; study < studies; ++study) {
    if (!truths.asked(study, task, classes)) continue;
    result.studies.push_back(study);
    const auto scores = judge.scores(task.score, study, classes);
    result.scores.insert(result.scores.end(), scores.begin(), scores.end());
    for (const std::size_t at : classes) {
      const std::int8_t truth = truths.of(study, spec.classes[at]);
      result.truths.push_back(task.score == ZeroShotScore::classes ? std::max(truth, std::int8_t{0}) : truth);
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> prompt_texts(const std::vector<std::string>& prompts,
                                      const std::vector<std::string>& templates, const std::string& prefix) {
  std::vector<std::string> texts;
  for (const auto& prompt : prompts)
    for (std::string text : templates) texts.push_back(prefix + text.replace(text.find("{}"), 2, prompt));
  return texts;
}

std::vector<ClassEmbedding> embed_prompts(Context& ctx, objectives::ImageTextObjective& model,
                                          const TextReading& reading, const ZeroShotSpec& spec,
                                          comm::Communicator& world) {
  STRATA_CHECK(reading.tokenizer != nullptr, usage, "zero-shot", "a model without a tokenizer cannot read prompts");
  const PromptList list = list_prompts(spec, reading.prefix);
  const Tensor texts = embed_texts(ctx, model, reading, list.texts, world);
  std::vector<ClassEmbedding> result;
  for (std::size_t at = 0; at < spec.classes.size(); ++at)
    result.push_back({group_embedding(texts, list.groups[2 * at]), group_embedding(texts, list.groups[2 * at + 1])});
  return result;
}

std::vector<TaskScores> zero_shot_scores(Context& ctx, objectives::ImageTextObjective& model,
                                         const TextReading& reading, const ZeroShotSpec& spec,
                                         const EncodedStudies& studies, comm::Communicator& world) {
  check_columns(spec, studies.label_names);
  const auto classes = embed_prompts(ctx, model, reading, spec, world);
  const Judge judge(ctx, model, studies, classes);
  const Truths truths(spec, studies);
  std::vector<TaskScores> result;
  for (const auto& task : tasks_of(spec)) result.push_back(score_task(spec, task, judge, truths, studies.studies()));
  return result;
}

}  // namespace strata::engine
