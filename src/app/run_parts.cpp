// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "app/run_config.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

constexpr std::int64_t kHeadWidth = 64;

// Without a variant nothing may be left to guess.
void require_sizes(const ModelSettings& s) {
  std::vector<std::string> missing;
  const auto need = [&](bool given, const char* name) {
    if (!given) missing.emplace_back(name);
  };
  need(s.image.has_value(), "image");
  need(s.patch.has_value(), "patch");
  need(s.width.has_value(), "width");
  need(s.depth.has_value(), "depth");
  need(s.heads.has_value(), "heads");
  need(s.slice_blocks || s.scan_blocks || s.study_blocks, "slice_blocks, scan_blocks or study_blocks");
  STRATA_CHECK(missing.empty(), usage, "config",
               fmt::format("neither a variant nor all sizes are given; without: {}", fmt::join(missing, ", ")),
               fmt::format("variants are {}", fmt::join(models::hierarchical_vit3d_variants(), ", ")));
}

void take(const std::optional<std::vector<std::int64_t>>& from, const char* name, std::array<std::int64_t, 3>& into) {
  if (!from) return;
  STRATA_CHECK(from->size() == into.size(), usage, "config",
               fmt::format("{} has {} sizes, not D, H, W", name, from->size()),
               fmt::format("write model.{}=[48, 224, 224]", name));
  std::copy_n(from->begin(), into.size(), into.begin());
}

template <class T>
void take(const std::optional<T>& from, T& into) {
  if (from) into = *from;
}

void check_sets(const std::vector<SetSettings>& sets, const char* which) {
  for (std::size_t i = 0; i < sets.size(); ++i)
    STRATA_CHECK(!sets[i].path.empty(), usage, "config", fmt::format("data.{}[{}] has no path", which, i),
                 fmt::format("give data.{}[{}].path=FOLDER, a folder that strata ingest made", which, i));
}

}  // namespace

models::HierarchicalVit3dConfig visual_config(const ModelSettings& s) {
  models::HierarchicalVit3dConfig config;
  if (s.variant.empty()) {
    require_sizes(s);
  } else {
    config = models::hierarchical_vit3d_variant(s.variant);
  }
  take(s.image, "image", config.image);
  take(s.patch, "patch", config.patch);
  take(s.channels, config.channels);
  take(s.width, config.width);
  take(s.depth, config.depth);
  take(s.heads, config.heads);
  take(s.mlp_ratio, config.mlp_ratio);
  take(s.max_scans, config.max_scans);
  take(s.register_tokens, config.register_tokens);
  take(s.joint_width, config.joint_width);
  take(s.head, config.head);
  take(s.slice_blocks, config.slice_blocks);
  take(s.scan_blocks, config.scan_blocks);
  take(s.study_blocks, config.study_blocks);
  config.drop_path = s.drop_path;
  config.patch_dropout = s.patch_dropout;
  config.validate();
  return config;
}

models::BertConfig text_config(const TextSettings& s, std::int64_t vocabulary, std::int64_t joint_width) {
  models::BertConfig config = models::bert_variant(s.variant);
  if (s.width) {
    config.width = *s.width;
    config.heads = std::max<std::int64_t>(1, *s.width / kHeadWidth);
    config.hidden = 4 * *s.width;
  }
  take(s.depth, config.depth);
  take(s.heads, config.heads);
  take(s.hidden, config.hidden);
  take(s.positions, config.positions);
  config.vocabulary = vocabulary;
  config.joint_width = joint_width;
  config.pooling = s.pooling;
  config.dropout = s.dropout;
  return config;
}

std::vector<engine::ReportPart> report_parts(const TextSettings& settings) {
  static constexpr std::array<std::pair<std::string_view, engine::ReportPart>, 3> kParts{
      {{"report", engine::ReportPart::report},
       {"findings", engine::ReportPart::findings},
       {"impression", engine::ReportPart::impression}}};
  std::vector<engine::ReportPart> parts;
  for (const auto& name : settings.parts) {
    const auto* at = std::ranges::find(kParts, name, &std::pair<std::string_view, engine::ReportPart>::first);
    STRATA_CHECK(at != kParts.end(), usage, "config",
                 fmt::format("parts names {}, which is no part of a report", io::printable(name)),
                 "there are report, findings and impression");
    parts.push_back(at->second);
  }
  return parts;
}

objectives::ImageTextOptions objective_options(const ObjectiveSettings& settings) {
  objectives::ImageTextOptions options;
  options.kind = settings.kind;
  if (settings.kind == objectives::ContrastiveKind::siglip) options.logit_scale = std::log(10.0);
  take(settings.logit_scale, options.logit_scale);
  take(settings.logit_bias, options.logit_bias);
  options.blocks.block_rows = settings.block_rows;
  return options;
}

optim::OptimizerConfig optimizer_config(const OptimSettings& settings) {
  optim::OptimizerConfig config;
  config.algorithm = settings.algorithm;
  config.beta1 = settings.beta1;
  config.beta2 = settings.beta2;
  config.eps = settings.eps;
  if (settings.algorithm == optim::Algorithm::sgd) config.momentum = settings.momentum;
  return config;
}

std::vector<optim::GroupRule> optimizer_rules(const OptimSettings& settings) {
  auto rules = optim::no_decay_rules();
  if (settings.text_lr_scale != 1) rules.push_back({.name = "text.*", .lr_scale = settings.text_lr_scale});
  return rules;
}

optim::ScheduleConfig schedule_config(const OptimSettings& settings, std::int64_t steps) {
  optim::ScheduleConfig config;
  config.kind = settings.schedule;
  config.peak = settings.lr;
  config.end = settings.end_lr;
  config.total = steps;
  config.warm_up = settings.warm_up;
  config.cool_down = settings.cool_down;
  return config;
}

std::int64_t total_steps(const TrainSettings& settings, std::int64_t studies) {
  if (settings.steps > 0) return settings.steps;
  const double steps = settings.epochs * static_cast<double>(studies) / static_cast<double>(settings.batch);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(steps)));
}

void check_complete(const RunConfig& run) {
  STRATA_CHECK(!run.data.train.empty(), usage, "config", "no set is named to train on",
               "give data.train=[{path: FOLDER}], a folder that strata ingest made");
  check_sets(run.data.train, "train");
  check_sets(run.data.eval, "eval");
  STRATA_CHECK(!run.text.vocabulary.empty() || !run.text.weights.empty() || !run.start_from.empty(), usage, "config",
               "the text tower has no vocabulary",
               "give text.weights=FOLDER (a Hugging Face BERT), or text.vocabulary=vocab.txt, which strata vocab makes "
               "of reports");
}

}  // namespace strata::app
