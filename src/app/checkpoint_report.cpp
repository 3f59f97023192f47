// SPDX-License-Identifier: Apache-2.0
#include "app/checkpoint_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/shard_report.hpp"
#include "strata/base/text.hpp"
#include "strata/engine/checkpointing.hpp"

namespace strata::app {
namespace {

using Json = nlohmann::ordered_json;

// Names that need no quotes have none.
std::string name_text(const std::string& name) {
  std::string text = printable(name, 1024);
  return text == "'" + name + "'" ? name : text;
}

Json tensors_of(const io::CheckpointFile& stored) {
  Json tensors = Json::array();
  for (const auto& tensor : stored.tensors())
    tensors.push_back(
        {{"name", tensor.name},
         {"dtype", std::string(name_of(tensor.dtype))},
         {"shape", std::vector<std::int64_t>(tensor.shape.extents().begin(), tensor.shape.extents().end())},
         {"bytes", tensor.shape.numel() * static_cast<std::int64_t>(size_of(tensor.dtype))}});
  return tensors;
}

std::string facts_text(const Json& facts) {
  std::string text;
  for (const auto& [name, value] : facts.items())
    text += fmt::format("  {:<16} {}\n", name_text(name),
                        value.is_string() ? name_text(value.get<std::string>()) : value.dump());
  return text;
}

std::string tensor_line(const Json& tensor, std::size_t width) {
  std::string shape;
  for (const auto& extent : tensor["shape"])
    shape += fmt::format("{}{}", shape.empty() ? "" : ", ", extent.get<std::int64_t>());
  return fmt::format("  {:<{}} {:<4} {:<24} {:>12}\n", name_text(tensor["name"].get<std::string>()), width,
                     tensor["dtype"].get<std::string>(), "[" + shape + "]", size_text(tensor["bytes"].get<double>()));
}

}  // namespace

Json report_checkpoint(const io::CheckpointFile& stored, const std::optional<std::vector<std::string>>& damaged) {
  Json facts, texts = Json::object();
  std::int64_t elements = 0;
  for (const auto& tensor : stored.tensors()) elements += tensor.shape.numel();
  for (const auto& [name, text] : stored.texts()) {
    texts[name] = text;
    if (name == engine::kFactsText) facts = Json::parse(text, nullptr, false);
  }
  Json report{{"path", stored.path()}, {"step", stored.step()}, {"bytes", stored.bytes()},      {"elements", elements},
              {"facts", facts},        {"texts", texts},        {"tensors", tensors_of(stored)}};
  if (damaged) report["damaged"] = *damaged;
  return report;
}

std::string checkpoint_report_text(const Json& report) {
  std::string text =
      fmt::format("{}: step {}, {} tensors, {} elements, {}\n", printable(report["path"].get<std::string>(), 400),
                  report["step"].get<std::int64_t>(), report["tensors"].size(), report["elements"].get<std::int64_t>(),
                  size_text(report["bytes"].get<double>()));
  if (report["facts"].is_object()) text += "facts\n" + facts_text(report["facts"]);
  if (!report["texts"].empty()) text += "texts (--text NAME prints one)\n";
  for (const auto& [name, value] : report["texts"].items())
    text += fmt::format("  {:<16} {}\n", name_text(name),
                        size_text(static_cast<double>(value.get_ref<const std::string&>().size())));
  text += "tensors\n";
  std::size_t width = 0;
  for (const auto& tensor : report["tensors"])
    width = std::max(width, name_text(tensor["name"].get<std::string>()).size());
  for (const auto& tensor : report["tensors"]) text += tensor_line(tensor, width);
  if (!report.contains("damaged")) return text;
  if (report["damaged"].empty()) return text + "all checksums are right\n";
  text += "damaged\n";
  for (const auto& name : report["damaged"]) text += "  " + name_text(name.get<std::string>()) + "\n";
  return text;
}

}  // namespace strata::app
