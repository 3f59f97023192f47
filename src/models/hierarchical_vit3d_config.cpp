// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/models/hierarchical_vit3d.hpp"

namespace strata::models {
namespace {

using Config = HierarchicalVit3dConfig;

// Study attention in every third block from block 2 on; the others are given to `first` and `second` in turn.
void spread_levels(Config& config, std::vector<std::int64_t>& first, std::vector<std::int64_t>& second) {
  for (std::int64_t block = 0; block < config.depth; ++block)
    (block % 3 == 2 ? config.study_blocks : block % 3 == 0 ? first : second).push_back(block);
}

Config base(const std::string& name, std::array<std::int64_t, 3> image, std::array<std::int64_t, 3> patch,
            std::int64_t max_scans) {
  Config config;
  config.name = name;
  config.image = image;
  config.patch = patch;
  config.max_scans = max_scans;
  return config;
}

Config h2_scan(const std::string& name, std::array<std::int64_t, 3> patch, std::int64_t max_scans = 40) {
  Config config = base(name, {48, 224, 224}, patch, max_scans);
  spread_levels(config, config.scan_blocks, config.scan_blocks);
  return config;
}

Config h3(const std::string& name, std::array<std::int64_t, 3> patch) {
  Config config = base(name, {48, 224, 224}, patch, 40);
  spread_levels(config, config.slice_blocks, config.scan_blocks);
  return config;
}

Config single_h2(const std::string& name) {
  Config config = base(name, {112, 336, 336}, {8, 24, 24}, 1);
  spread_levels(config, config.slice_blocks, config.slice_blocks);
  return config;
}

Config large(Config config, const std::string& name) {
  config.name = name;
  config.width = 1024;
  config.depth = 24;
  config.heads = 16;
  config.joint_width = 768;
  config.scan_blocks.clear();
  config.study_blocks.clear();
  spread_levels(config, config.scan_blocks, config.scan_blocks);
  return config;
}

Config dinotxt(Config config, const std::string& name) {
  config.name = name;
  config.max_scans = 0;
  config.register_tokens = 1;
  config.head = Head::dinotxt;
  return config;
}

std::vector<Config> all_variants() {
  return {single_h2("vit_base_singlescan_h2_token2744"),
          h2_scan("vit_base_multiscan_h2_token588", {16, 16, 16}),
          h2_scan("vit_base_multiscan_h2_token1176", {8, 16, 16}),
          h3("vit_base_multiscan_h3_token1176", {8, 16, 16}),
          h2_scan("vit_base_multiscan_h2_token1568", {6, 16, 16}, 0),
          dinotxt(h2_scan("", {6, 16, 16}), "vit_base_multiscan_h2_token1568_dinotxt"),
          large(h2_scan("", {8, 16, 16}), "vit_large_multiscan_h2_token1176"),
          large(h2_scan("", {6, 16, 16}, 0), "vit_large_multiscan_h2_token1568"),
          dinotxt(large(h2_scan("", {6, 16, 16}), ""), "vit_large_multiscan_h2_token1568_dinotxt")};
}

void check_levels(const Config& config) {
  std::vector<int> times(static_cast<std::size_t>(std::max<std::int64_t>(config.depth, 0)), 0);
  for (const auto* list : {&config.slice_blocks, &config.scan_blocks, &config.study_blocks})
    for (const auto block : *list) {
      STRATA_CHECK(block >= 0 && block < config.depth, usage, config.name,
                   fmt::format("an attention level names block {}, but there are {} blocks", block, config.depth));
      ++times[static_cast<std::size_t>(block)];
    }
  for (std::size_t block = 0; block < times.size(); ++block)
    STRATA_CHECK(times[block] == 1, usage, config.name,
                 fmt::format("block {} has {} attention levels", block, times[block]),
                 "name every block once among slice_blocks, scan_blocks and study_blocks");
}

}  // namespace

std::array<std::int64_t, 3> Config::grid() const {
  return {image[0] / patch[0], image[1] / patch[1], image[2] / patch[2]};
}

nn::Level Config::level(std::int64_t block) const {
  if (std::ranges::find(slice_blocks, block) != slice_blocks.end()) return nn::Level::slice;
  return std::ranges::find(scan_blocks, block) != scan_blocks.end() ? nn::Level::scan : nn::Level::study;
}

void Config::validate() const {
  for (std::size_t axis = 0; axis < 3; ++axis)
    STRATA_CHECK(
        patch[axis] > 0 && image[axis] > 0 && image[axis] % patch[axis] == 0, usage, name,
        fmt::format("image {} does not divide into patches of {}", fmt::join(image, "×"), fmt::join(patch, "×")),
        "choose sizes that divide on every axis");
  STRATA_CHECK(depth > 0 && width > 0 && heads > 0 && channels > 0 && mlp_ratio > 0 && joint_width > 0, usage, name,
               "depth, width, heads, channels, mlp_ratio and joint_width must be positive");
  STRATA_CHECK(max_scans >= 0 && register_tokens >= 0, usage, name, "max_scans and register_tokens cannot be negative");
  STRATA_CHECK(drop_path >= 0 && drop_path < 1 && patch_dropout >= 0 && patch_dropout < 1, usage, name,
               fmt::format("drop_path {} and patch_dropout {} must lie in [0, 1)", drop_path, patch_dropout));
  check_levels(*this);
}

Config hierarchical_vit3d_variant(const std::string& name) {
  for (auto& config : all_variants())
    if (config.name == name) return config;
  const auto names = hierarchical_vit3d_variants();
  const auto nearest = nearest_name(name, names);
  fail(ErrorKind::usage, "model", fmt::format("unknown variant '{}'", name),
       nearest.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", nearest));
}

std::vector<std::string> hierarchical_vit3d_variants() {
  std::vector<std::string> names;
  for (const auto& config : all_variants()) names.push_back(config.name);
  return names;
}

}  // namespace strata::models
