// SPDX-License-Identifier: Apache-2.0
#include "app/weights_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "app/small_file.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWrapper = "module.";
constexpr const char* kConverter = "python tools/torch_to_safetensors.py turns PyTorch files into safetensors";

bool is_torch_file(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".pt" || ending == ".pth" || ending == ".bin" || ending == ".ckpt";
}

std::vector<fs::path> shards_of(const fs::path& index) {
  const std::string name = io::printable(index.string(), 400);
  const auto json = nlohmann::json::parse(read_small_file("weights", index.string()), nullptr, false);
  STRATA_CHECK(json.is_object() && json.contains("weight_map") && json.at("weight_map").is_object(), data, "weights",
               fmt::format("{} has no weight_map", name));
  std::set<fs::path> shards;
  for (const auto& [tensor, file] : json.at("weight_map").items()) {
    // Files beside the index alone: it came from elsewhere and shall not point anywhere on this machine.
    const std::string shard = file.is_string() ? file.get<std::string>() : std::string();
    STRATA_CHECK(!shard.empty() && fs::path(shard).filename() == fs::path(shard), data, "weights",
                 fmt::format("{} names no file beside it for {}", name, io::printable(tensor)));
    shards.insert(index.parent_path() / shard);
  }
  return {shards.begin(), shards.end()};
}

std::vector<fs::path> files_of(const std::string& path) {
  std::error_code unknown;
  const std::string name = io::printable(path, 400);
  if (!fs::is_directory(path, unknown)) {
    STRATA_CHECK(!is_torch_file(path), usage, "weights", fmt::format("{} is a PyTorch file", name), kConverter);
    return {path};
  }
  const fs::path folder = path, whole = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  if (fs::exists(whole, unknown)) return {whole};
  if (fs::exists(index, unknown)) return shards_of(index);
  const bool torch = std::ranges::any_of(fs::directory_iterator(folder, unknown),
                                         [](const auto& entry) { return is_torch_file(entry.path()); });
  fail(ErrorKind::usage, "weights", fmt::format("the folder {} has no model.safetensors", name),
       torch ? kConverter : "name a Hugging Face folder or a .safetensors file");
}

Tensor load(const io::SafetensorsFile& file, const io::SafetensorsEntry& entry) {
  Tensor tensor = file.load_as(entry, DType::f32);
  const auto broken = io::first_non_finite(tensor);
  STRATA_CHECK(!broken, numeric, "weights",
               fmt::format("{}: tensor {} is NaN or infinite at {}", io::printable(file.path(), 400),
                           io::printable(entry.name), io::index_of(*broken, tensor.shape())),
               "the run that wrote these weights diverged");
  return tensor;
}

}  // namespace

WeightsFile read_weights(const std::string& path, std::string_view prefix) {
  WeightsFile weights{.path = path, .tensors = {}, .left_out = {}};
  std::vector<io::SafetensorsFile> files;
  for (const auto& file : files_of(path)) files.emplace_back(file.string());
  const bool wrapped = std::ranges::all_of(files, [](const io::SafetensorsFile& file) {
    return std::ranges::all_of(file.entries(), [](const auto& entry) { return entry.name.starts_with(kWrapper); });
  });
  for (const auto& file : files)
    for (const auto& entry : file.entries()) {
      const std::string name = entry.name.substr(wrapped ? kWrapper.size() : 0);
      if (!name.starts_with(prefix)) continue;
      if (entry.type == "F16" || (entry.dtype && is_floating(*entry.dtype)))
        weights.tensors[name] = load(file, entry);
      else
        weights.left_out.push_back(name);
    }
  return weights;
}

std::string unused_note(const std::string& path, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  constexpr std::size_t kListed = 8;
  std::string note = fmt::format("{} {} of {} {} not used:", names.size(), names.size() == 1 ? "tensor" : "tensors",
                                 io::printable(path, 400), names.size() == 1 ? "was" : "were");
  for (std::size_t i = 0; i < std::min(kListed, names.size()); ++i)
    note += (i == 0 ? " " : ", ") + io::printable(names[i]);
  if (names.size() > kListed) note += fmt::format(" and {} more", names.size() - kListed);
  return note;
}

}  // namespace strata::app
