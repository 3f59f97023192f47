// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "strata/base/error.hpp"
#include "strata/models/bert_text_encoder.hpp"

namespace strata::models {
namespace {

constexpr std::int64_t kHeadWidth = 64;

BertConfig sized(const std::string& name, std::int64_t depth, std::int64_t width) {
  BertConfig config;
  config.name = name;
  config.depth = depth;
  config.width = width;
  config.heads = width / kHeadWidth;
  config.hidden = 4 * width;
  return config;
}

std::vector<BertConfig> all_variants() {
  return {sized("bert_base", 12, 768), sized("bert_medium", 8, 512), sized("bert_small", 4, 512),
          sized("bert_mini", 4, 256), sized("bert_tiny", 2, 128)};
}

}  // namespace

void BertConfig::validate() const {
  const std::pair<const char*, std::int64_t> sizes[] = {
      {"vocabulary", vocabulary}, {"positions", positions}, {"token_types", token_types}, {"width", width},
      {"depth", depth},           {"heads", heads},         {"hidden", hidden},           {"joint_width", joint_width}};
  for (const auto& [field, value] : sizes)
    STRATA_CHECK(value > 0, usage, name, fmt::format("{} is {}, it must be positive", field, value));
  constexpr std::int64_t kLayers = 2000;  // random numbers have room for as many
  STRATA_CHECK(depth <= kLayers, usage, name, fmt::format("depth is {}, more than {}", depth, kLayers));
  STRATA_CHECK(dropout >= 0 && dropout < 1, usage, name, fmt::format("dropout {} must lie in [0, 1)", dropout));
  STRATA_CHECK(norm_epsilon > 0, usage, name, fmt::format("norm_epsilon {} must be positive", norm_epsilon));
}

BertConfig bert_variant(const std::string& name) {
  for (auto& config : all_variants())
    if (config.name == name) return config;
  const auto names = bert_variants();
  const auto nearest = nearest_name(name, names);
  fail(ErrorKind::usage, "model", fmt::format("unknown text model '{}'", name),
       nearest.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", nearest));
}

std::vector<std::string> bert_variants() {
  std::vector<std::string> names;
  for (const auto& config : all_variants()) names.push_back(config.name);
  return names;
}

}  // namespace strata::models
