// SPDX-License-Identifier: Apache-2.0
#include "app/text_weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/small_file.hpp"
#include "app/weights_file.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using models::BertConfig;

std::string shown(const std::string& path) { return io::printable(path, 400); }

Json read_json(const fs::path& path) {
  auto json = Json::parse(read_small_file("text model", path.string()), nullptr, false);
  STRATA_CHECK(json.is_object(), data, "text model", fmt::format("{} is not a JSON object", shown(path.string())));
  return json;
}

// Settings that a vocab.txt cannot hold; BERT's own where they are absent.
void check_tokenizer_settings(const fs::path& vocabulary) {
  const fs::path beside = vocabulary.parent_path() / "tokenizer_config.json";
  std::error_code unknown;
  if (vocabulary.extension() == ".json" || !fs::exists(beside, unknown)) return;
  const Json json = read_json(beside);
  const auto is = [&](const char* key, bool value) { return json.contains(key) && json.at(key) == value; };
  std::string other;
  if (is("do_lower_case", false)) other = "do_lower_case false";
  if (is("strip_accents", false)) other = "strip_accents false";
  if (is("tokenize_chinese_chars", false)) other = "tokenize_chinese_chars false";
  STRATA_CHECK(
      other.empty(), data, "vocabulary",
      fmt::format("{} has {}, which a vocab.txt alone does not say", shown(beside.string()), other),
      "name a tokenizer.json as text.vocabulary (save_pretrained of transformers' BertTokenizerFast makes one)");
}

fs::path find_vocabulary(const TextSettings& settings) {
  std::error_code unknown;
  const bool beside = settings.vocabulary.empty();
  STRATA_CHECK(!beside || !settings.weights.empty(), usage, "vocabulary", "text.vocabulary is not set",
               "name a vocab.txt or tokenizer.json; strata vocab REPORTS --to vocab.txt makes one");
  const fs::path named = beside ? settings.weights : settings.vocabulary;
  const bool folder = fs::is_directory(named, unknown);
  if (!beside && !folder) return named;
  const fs::path in = folder ? named : named.parent_path();
  for (const char* file : {"tokenizer.json", "vocab.txt"})
    if (fs::exists(in / file, unknown)) return in / file;
  fail(ErrorKind::usage, "vocabulary",
       fmt::format("there is neither a tokenizer.json nor a vocab.txt in {}", shown(in.empty() ? "." : in.string())),
       "name the vocabulary that these weights were trained with as text.vocabulary");
}

// What config.json says beside the sizes that the tensors have; the tower can be nothing else.
void check_description(const fs::path& path, const BertConfig& config) {
  const Json json = read_json(path);
  const auto differs = [&](const std::string& what) {
    fail(ErrorKind::data, "text model", fmt::format("{} has {}", shown(path.string()), what),
         "only BERT with exact GELU and learned positions is read");
  };
  if (json.contains("hidden_act") && json.at("hidden_act") != "gelu")
    differs(fmt::format("hidden_act {}, not gelu", shown(json.at("hidden_act").dump())));
  if (json.contains("position_embedding_type") && json.at("position_embedding_type") != "absolute")
    differs(fmt::format("position_embedding_type {}", shown(json.at("position_embedding_type").dump())));
  if (json.contains("layer_norm_eps") && json.at("layer_norm_eps").is_number() &&
      std::abs(json.at("layer_norm_eps").get<double>() / config.norm_epsilon - 1) > 1e-6)
    differs(fmt::format("layer_norm_eps {}, the tower has {}", json.at("layer_norm_eps").dump(), config.norm_epsilon));
  const auto heads = json.value("num_attention_heads", Json(config.heads));
  STRATA_CHECK(heads.is_number_integer(), data, "text model",
               fmt::format("{} has a num_attention_heads that is no number", shown(path.string())));
  STRATA_CHECK(
      heads == config.heads, data, "text model",
      fmt::format("{} has {} attention heads, the configuration {}", shown(path.string()), heads.dump(), config.heads),
      fmt::format("set text.heads={}", heads.dump()));
}

// What to write in the configuration for these weights.
std::string settings_for(const BertConfig& weights) {
  for (const auto& name : models::bert_variants()) {
    const BertConfig variant = models::bert_variant(name);
    if (variant.width == weights.width && variant.depth == weights.depth && variant.hidden == weights.hidden &&
        variant.positions == weights.positions)
      return "set text.variant=" + name;
  }
  return fmt::format("set text.width={} text.depth={} text.hidden={} text.positions={}, and text.heads", weights.width,
                     weights.depth, weights.hidden, weights.positions);
}

void check_sizes(const std::string& path, const std::map<std::string, Tensor>& tensors, const BertConfig& config) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : tensors) shapes.emplace(name, tensor.shape());
  const BertConfig weights = models::bert_config_of(shapes, config.heads);
  std::vector<std::string> differences;
  const auto compare = [&](const char* what, std::int64_t theirs, std::int64_t ours) {
    if (theirs != ours) differences.push_back(fmt::format("{} {} (the configuration has {})", what, theirs, ours));
  };
  compare("width", weights.width, config.width);
  compare("depth", weights.depth, config.depth);
  compare("hidden", weights.hidden, config.hidden);
  compare("positions", weights.positions, config.positions);
  STRATA_CHECK(differences.empty(), data, "text model",
               fmt::format("{} holds a BERT of {}", shown(path), fmt::join(differences, ", ")), settings_for(weights));
  STRATA_CHECK(weights.vocabulary == config.vocabulary, data, "text model",
               fmt::format("{} was trained with {} pieces, the vocabulary has {}", shown(path), weights.vocabulary,
                           config.vocabulary),
               "use the vocabulary that these weights were trained with, or no weights");
}

}  // namespace

VocabularyFile read_vocabulary(const TextSettings& settings) {
  const fs::path path = find_vocabulary(settings);
  check_tokenizer_settings(path);
  return {path.string(), read_small_file("vocabulary", path.string())};
}

models::BertNames assign_text_weights(Context& ctx, models::BertTextEncoder& tower, const std::string& path,
                                      const std::map<std::string, Tensor>& tensors) {
  try {
    check_sizes(path, tensors, tower.config());
    std::error_code unknown;
    if (const fs::path description = fs::path(path) / "config.json"; fs::exists(description, unknown))
      check_description(description, tower.config());
    return models::import_bert(ctx, tower, tensors);
  } catch (const Error& error) {
    if (error.message().find(path) != std::string::npos) throw;
    fail(error.kind(), error.subject(), fmt::format("{}: {}", shown(path), error.message()), error.hint(),
         error.where());
  }
}

std::vector<std::string> load_text_weights(Context& ctx, models::BertTextEncoder& tower, const std::string& path) {
  const WeightsFile weights = read_weights(path);
  const auto names = assign_text_weights(ctx, tower, path, weights.tensors);
  std::vector<std::string> notes{
      fmt::format("text tower from {}{}", shown(path),
                  names.projection.empty() ? ", projection from scratch" : ", with its projection")};
  if (auto note = unused_note(path, names.unused); !note.empty()) notes.push_back(std::move(note));
  return notes;
}

}  // namespace strata::app
