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

// What a run lacks, a line each.
class Missing {
 public:
  void unless(bool there, const std::string& what, const std::string& how) {
    if (!there) lines_.push_back(fmt::format("{}: give {}", what, how));
  }
  void fail() const {
    if (lines_.empty()) return;
    const std::string text = lines_.size() == 1 ? lines_[0] : fmt::format("\n  {}", fmt::join(lines_, "\n  "));
    strata::fail(ErrorKind::usage, "config", fmt::format("the run is not complete: {}", text));
  }

 private:
  std::vector<std::string> lines_;
};

void need_paths(Missing& missing, const std::vector<SetSettings>& sets, const char* which) {
  for (std::size_t i = 0; i < sets.size(); ++i)
    missing.unless(!sets[i].path.empty(), fmt::format("data.{}[{}] has no path", which, i),
                   fmt::format("data.{}[{}].path=FOLDER, which strata ingest made", which, i));
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
  config.standardise_voxels = s.standardise_voxels;
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

optim::OptimizerConfig optimizer_config(const OptimSettings& settings, std::uint64_t seed) {
  optim::OptimizerConfig config;
  config.algorithm = settings.algorithm;
  config.beta1 = settings.beta1;
  config.beta2 = settings.beta2;
  config.eps = settings.eps;
  if (settings.algorithm == optim::Algorithm::sgd) config.momentum = settings.momentum;
  config.rounding = settings.rounding;
  config.seed = seed;
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

data::PackingRule packing_rule(const RunConfig& run) {
  const auto model = visual_config(run.model);
  const auto grid = model.grid();
  const bool slices = model.level(0) == nn::Level::slice;  // each of the first block's sequences keeps as many
  const std::int64_t sequences = slices ? grid[0] : 1, tokens = grid[0] * grid[1] * grid[2] / sequences;
  const auto kept = static_cast<std::int64_t>(std::floor(static_cast<double>(tokens) * (1 - run.model.patch_dropout)));
  data::PackingRule rule;
  rule.tokens_a_scan = sequences * std::max<std::int64_t>(1, kept);
  rule.token_budget = run.data.tokens > 0 ? run.data.tokens : std::int64_t{1} << 50;
  // 4·C·T² of the blocks that attend within the study against 24·C²·T of all blocks
  rule.quadratic =
      static_cast<double>(model.study_blocks.size()) / (6.0 * static_cast<double>(model.depth * model.width));
  rule.multiple_of = run.data.multiple_of;
  return rule;
}

std::int64_t total_steps(const TrainSettings& settings, std::int64_t studies) {
  if (settings.steps > 0) return settings.steps;
  const double steps = settings.epochs * static_cast<double>(studies) / static_cast<double>(settings.batch);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(steps)));
}

void check_complete(const RunConfig& run) {
  Missing missing;
  missing.unless(!run.data.train.empty(), "no set is named to train on",
                 "data.train=[{path: FOLDER}], which strata ingest made");
  need_paths(missing, run.data.train, "train");
  need_paths(missing, run.data.eval, "eval");
  const bool whole = !run.start_from.empty();
  missing.unless(whole || !run.text.vocabulary.empty() || !run.text.weights.empty(), "the text tower has no vocabulary",
                 "text.weights=FOLDER, a BERT as on Hugging Face, or text.vocabulary=vocab.txt, made by strata vocab");
  missing.unless(whole || !run.text.locked || !run.text.weights.empty(), "a locked text tower would stay random",
                 "text.weights=FOLDER, or text.locked=false");
  missing.unless(run.model.start == Start::scratch || !run.model.weights.empty(),
                 "the image tower is to start from weights, and none are named",
                 "model.weights=FILE.safetensors, or model.start=scratch");
  missing.fail();
}

}  // namespace strata::app
