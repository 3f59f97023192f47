// SPDX-License-Identifier: Apache-2.0
#include "app/model_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "strata/base/error.hpp"
#include "strata/engine/model_state.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using models::HierarchicalVit3dConfig;

[[noreturn]] void bad(const io::SafetensorsFile& file, const std::string& what,
                      std::string_view hint = "name the variant with --variant") {
  fail(ErrorKind::data, "model file", fmt::format("{}: {}", io::printable(file.path(), 400), what), hint);
}

// Reads the description's fields; each of the wrong form, and each that is not known, is an error that names it.
class Description {
 public:
  Description(const io::SafetensorsFile& file, const std::string& text) : file_(file) {
    json_ = nlohmann::json::parse(text, nullptr, false);
    if (!json_.is_object()) bad(file_, "the metadata 'config' are not a JSON object");
    constexpr std::array<std::string_view, 13> kKeys{
        "img",   "patch", "dim",   "heads",    "depth",     "max_num_scans",     "reg_tokens",
        "slice", "scan",  "study", "channels", "mlp_ratio", "standardise_voxels"};
    for (const auto& [key, value] : json_.items())
      if (std::ranges::find(kKeys, key) == kKeys.end())
        bad(file_, fmt::format("the metadata 'config' have the unknown key {}", io::printable(key)));
  }

  std::int64_t number(const char* key) const {
    if (!json_.contains(key)) bad(file_, fmt::format("the metadata 'config' have no {}", key));
    return checked(json_.at(key), key);
  }
  std::int64_t number(const char* key, std::int64_t otherwise) const {
    return json_.contains(key) ? number(key) : otherwise;
  }

  std::vector<std::int64_t> list(const char* key) const {
    std::vector<std::int64_t> values;
    if (!json_.contains(key)) return values;
    if (!json_.at(key).is_array() || json_.at(key).size() > 1000)
      bad(file_, fmt::format("{} in the metadata 'config' is not a short list", key));
    for (const auto& value : json_.at(key)) values.push_back(checked(value, key));
    return values;
  }

  std::array<std::int64_t, 3> triple(const char* key) const {
    const auto values = list(key);
    if (values.size() != 3) bad(file_, fmt::format("{} in the metadata 'config' is not a list of three sizes", key));
    return {values[0], values[1], values[2]};
  }

 private:
  std::int64_t checked(const nlohmann::json& value, const char* key) const {
    const bool sound =
        value.is_number_integer() && value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() <= 1'000'000;
    if (!sound) bad(file_, fmt::format("{} in the metadata 'config' is not a number from 0 to 1,000,000", key));
    return value.get<std::int64_t>();
  }

  const io::SafetensorsFile& file_;
  nlohmann::json json_;
};

void expect_shape(const io::SafetensorsFile& file, const std::string& name, const Shape& shape) {
  const auto* entry = file.find(name);
  if (entry == nullptr) entry = file.find("module." + name);
  if (entry == nullptr)
    bad(file, fmt::format("there is no tensor '{}'", name), "is this a visual encoder with published names?");
  if (entry->shape != shape)
    bad(file, fmt::format("the metadata 'config' say {} for '{}', which is {}", shape.str(), name, entry->shape.str()));
}

// So that a description cannot ask for more memory than the file itself takes.
void check_against_weights(const io::SafetensorsFile& file, const HierarchicalVit3dConfig& config) {
  const auto grid = config.grid();
  expect_shape(file, "visual.trunk.cls_token", {1, 1, config.width});
  expect_shape(file, "visual.trunk.spatial_posemb", {1, grid[0], grid[1], grid[2], config.width});
  expect_shape(file, "visual.trunk.patch_embed.proj.weight",
               {config.width, config.channels, config.patch[0], config.patch[1], config.patch[2]});
  expect_shape(file, fmt::format("visual.trunk.blocks.{}.norm1.weight", config.depth - 1), {config.width});
  expect_shape(file, "visual.trunk.blocks.0.mlp.fc1.weight", {config.mlp_ratio * config.width, config.width});
  expect_shape(file, "visual.head.proj.weight",
               {config.joint_width, config.head == models::Head::dinotxt ? 2 * config.width : config.width});
  if (config.max_scans > 1) expect_shape(file, "visual.trunk.sequential_posemb", {1, config.max_scans, config.width});
  if (config.register_tokens > 0)
    expect_shape(file, "visual.trunk.reg_token", {1, config.register_tokens, config.width});
  if (config.standardise_voxels)
    expect_shape(file, "visual.trunk.voxel_scale",
                 {config.channels, config.image[0], config.image[1], config.image[2]});
}

std::int64_t embedding_dim(const io::SafetensorsFile& file) {
  const auto at = file.metadata().find("embedding_dim");
  if (at == file.metadata().end()) return HierarchicalVit3dConfig{}.joint_width;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(at->second.data(), at->second.data() + at->second.size(), value);
  if (code != std::errc() || end != at->second.data() + at->second.size() || value <= 0)
    bad(file, "the metadata 'embedding_dim' are not a positive number");
  return value;
}

models::Head head_of(const io::SafetensorsFile& file) {
  const auto at = file.metadata().find("head");
  if (at == file.metadata().end() || at->second == "cls") return models::Head::cls;
  if (at->second != "dinotxt_dual")
    bad(file, fmt::format("the metadata 'head' are {}, neither cls nor dinotxt_dual", io::printable(at->second)));
  return models::Head::dinotxt;
}

HierarchicalVit3dConfig described(const io::SafetensorsFile& file) {
  const auto text = file.metadata().find("config");
  if (text == file.metadata().end())
    fail(ErrorKind::usage, "model file",
         fmt::format("{} does not say which model it holds", io::printable(file.path(), 400)),
         fmt::format("name it with --variant: {}", fmt::join(models::hierarchical_vit3d_variants(), ", ")));
  const Description description(file, text->second);
  HierarchicalVit3dConfig config;
  config.name = "model";
  config.image = description.triple("img");
  config.patch = description.triple("patch");
  config.width = description.number("dim");
  config.heads = description.number("heads");
  config.depth = description.number("depth");
  config.max_scans = description.number("max_num_scans");
  config.register_tokens = description.number("reg_tokens", 0);
  config.channels = description.number("channels", 1);
  config.mlp_ratio = description.number("mlp_ratio", 4);
  config.standardise_voxels = description.number("standardise_voxels", 0) != 0;
  config.slice_blocks = description.list("slice");
  config.scan_blocks = description.list("scan");
  config.study_blocks = description.list("study");
  config.joint_width = embedding_dim(file);
  config.head = head_of(file);
  config.validate();
  check_against_weights(file, config);
  return config;
}

}  // namespace

std::unique_ptr<models::HlipVisualEncoder> load_encoder(Context& ctx, const io::SafetensorsFile& file,
                                                        const ModelFileOptions& options) {
  const auto config = options.variant.empty() ? described(file) : models::hierarchical_vit3d_variant(options.variant);
  auto model = std::make_unique<models::HlipVisualEncoder>(ctx, DType::f32, config);
  std::vector<io::WantedTensor> wanted;
  for (const auto& parameter : model->parameters())
    wanted.push_back({parameter->name(), {DType::f32, parameter->spec().shape}});
  io::LoadOptions load{.ignore = options.ignore, .convert = options.convert};
  if (file.metadata().contains("text_config")) load.ignore.insert(load.ignore.end(), {"text.", "logit_"});
  engine::assign_state(ctx, *model, io::load_wanted(file, wanted, load));
  return model;
}

}  // namespace strata::app
