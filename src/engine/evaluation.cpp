// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "strata/base/error.hpp"
#include "strata/engine/zero_shot_report.hpp"
#include "strata/io/host_copy.hpp"

namespace strata::engine {
namespace {

// Features of the studies [first, last), in the type and order that the objective takes them.
std::vector<Tensor> features_of(Context& ctx, const objectives::ImageTextObjective& model,
                                const EncodedStudies& studies, std::int64_t first, std::int64_t last) {
  const DType dtype = model.features().front().dtype;
  const std::int64_t pairs = studies.images.dim(1), width = studies.images.dim(2), rows = last - first;
  const auto upload = [&](const Tensor& host) { return ctx.upload(io::convert_floating(host, dtype)); };
  std::vector<Tensor> features;
  for (std::int64_t p = 0; p < pairs; ++p)
    features.push_back(
        upload(io::dense_on_host(studies.images.slice(0, first, last).slice(1, p, p + 1)).reshape({rows, width})));
  for (const Tensor& text : studies.texts) features.push_back(upload(text.slice(0, first, last)));
  return features;
}

// Unit rows of all embeddings of a study side by side: their dot products are e times the mean cosine.
std::vector<float> joined_rows(std::int64_t n, const std::vector<const float*>& parts, std::int64_t stride,
                               std::int64_t width) {
  std::vector<float> rows;
  for (std::int64_t i = 0; i < n; ++i)
    for (const float* part : parts) {
      const float* row = part + i * stride;
      double length = 0;
      for (std::int64_t c = 0; c < width; ++c) length += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      const double scale = length > 0 ? 1 / std::sqrt(length) : 0;
      for (std::int64_t c = 0; c < width; ++c) rows.push_back(static_cast<float>(static_cast<double>(row[c]) * scale));
    }
  return rows;
}

void add_up(comm::Communicator& world, std::vector<std::int64_t>& counts) {
  world.all_reduce(Tensor::borrow(counts.data(), DType::i64, {static_cast<std::int64_t>(counts.size())})).wait();
}

void add_zero_shot(Evaluation& into, const std::vector<TaskScores>& tasks) {
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const TaskReport report = judge(tasks[t], std::nullopt);
    if (t == 0) into.values.emplace_back("eval/auroc", report.auroc.value);
    const std::string prefix = tasks.size() == 1 ? "eval/auroc/" : "eval/auroc/" + report.name + "/";
    if (tasks.size() > 1) into.values.emplace_back("eval/auroc/" + report.name, report.auroc.value);
    for (const auto& one : report.classes) into.values.emplace_back(prefix + one.name, one.auroc.value);
  }
}

}  // namespace

const double* Evaluation::find(const std::string& name) const {
  const auto at = std::ranges::find(values, name, &std::pair<std::string, double>::first);
  return at == values.end() ? nullptr : &at->second;
}

double held_out_loss(Context& ctx, objectives::ImageTextObjective& model, const EncodedStudies& studies,
                     std::int64_t batch) {
  const std::int64_t n = studies.studies();
  const std::int64_t groups = std::max<std::int64_t>(1, n / batch), rows = std::min(batch, n);
  double sum = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    objectives::GlobalBatch whole;
    sum += model.loss_alone(ctx, whole, features_of(ctx, model, studies, g * rows, (g + 1) * rows));
  }
  return sum / static_cast<double>(groups);
}

Retrieval retrieve(const EncodedStudies& studies, comm::Communicator& world) {
  const std::int64_t n = studies.studies(), pairs = studies.images.dim(1), width = studies.images.dim(2);
  std::vector<const float*> images, texts;
  for (std::int64_t p = 0; p < pairs; ++p) images.push_back(studies.images.data<float>() + p * width);
  for (const Tensor& text : studies.texts) texts.push_back(text.data<float>());
  const auto a = joined_rows(n, images, pairs * width, width), b = joined_rows(n, texts, width, width);
  const std::int64_t rank = world.rank(), ranks = world.size();
  auto places =
      metrics::retrieval_places(a, b, pairs * width, n * rank / ranks, n * (rank + 1) / ranks, {}, studies.readings);
  for (auto* one : {&places.forward, &places.backward})
    for (auto* counts : {&one->better, &one->equal}) add_up(world, *counts);
  std::map<std::uint64_t, std::int64_t> times;
  for (const std::uint64_t reading : studies.readings) ++times[reading];
  Retrieval result{std::move(places), 0};
  for (const auto& [reading, count] : times) result.identical_reports += count > 1 ? count : 0;
  return result;
}

Evaluation evaluate(Context& ctx, objectives::ImageTextObjective& model, data::Loader& held_out,
                    const TextReading& reading, const ZeroShotSpec* zero_shot, comm::Communicator& world,
                    const EvaluationOptions& options) {
  STRATA_CHECK(reading.tokenizer != nullptr, usage, "evaluation", "without a tokenizer reports cannot be read");
  if (zero_shot != nullptr) check_columns(*zero_shot, held_out.mixture().label_names());
  const EncodedStudies studies = encode_studies(ctx, model, held_out, reading, world);
  const Retrieval retrieval = retrieve(studies, world);
  Evaluation result;
  result.studies = studies.studies();
  result.identical_reports = retrieval.identical_reports;
  const std::int64_t batch = options.loss_batch > 0 ? options.loss_batch : held_out.options().batch_studies;
  result.values.emplace_back("eval/loss", held_out_loss(ctx, model, studies, batch));
  for (const std::int64_t k : options.recall_at) {
    const auto& [forward, backward] = retrieval.places;
    result.values.emplace_back(fmt::format("eval/recall@{}/image_to_text", k), metrics::recall_at(forward, k));
    result.values.emplace_back(fmt::format("eval/recall@{}/text_to_image", k), metrics::recall_at(backward, k));
  }
  if (zero_shot != nullptr) add_zero_shot(result, zero_shot_scores(ctx, model, reading, *zero_shot, studies, world));
  return result;
}

}  // namespace strata::engine
