// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "strata/base/error.hpp"

namespace strata::text {
namespace {

using Json = nlohmann::json;

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  [[noreturn]] void bad(const std::string& what) const {
    fail(ErrorKind::data, "tokenizer", fmt::format("{}: {}", name_, what), "only BERT's WordPiece tokenizer is read");
  }

  const Json& object(const Json& parent, const char* key) const {
    if (!parent.contains(key) || !parent.at(key).is_object()) bad(fmt::format("has no object '{}'", key));
    return parent.at(key);
  }

  void expect_type(const Json& parent, const char* key, std::string_view type) const {
    const Json& part = object(parent, key);
    if (!part.contains("type") || part.at("type") != type) bad(fmt::format("its '{}' is not of type {}", key, type));
  }

  void flag(const Json& parent, const char* key, bool& value) const {
    if (!parent.contains(key)) return;
    if (!parent.at(key).is_boolean()) bad(fmt::format("'{}' is not true or false", key));
    value = parent.at(key).get<bool>();
  }

  void text(const Json& parent, const char* key, std::string& value) const {
    if (!parent.contains(key)) return;
    if (!parent.at(key).is_string()) bad(fmt::format("'{}' is not a text", key));
    value = parent.at(key).get<std::string>();
  }

  // A number of a piece. Large ones are refused so that a file cannot ask for more memory than it is worth.
  std::size_t id(const Json& value, std::size_t limit) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= limit)
      bad(fmt::format("the number of a piece is not one below {}", limit));
    return value.get<std::size_t>();
  }

 private:
  const std::string& name_;
};

void read_normaliser(const Reader& reader, const Json& normaliser, BasicOptions& basic) {
  reader.flag(normaliser, "clean_text", basic.clean_text);
  reader.flag(normaliser, "handle_chinese_chars", basic.tokenize_chinese_chars);
  reader.flag(normaliser, "lowercase", basic.do_lower_case);
  if (!normaliser.contains("strip_accents")) return;
  basic.strip_accents.reset();
  if (normaliser.at("strip_accents").is_null()) return;
  bool strip = false;
  reader.flag(normaliser, "strip_accents", strip);
  basic.strip_accents = strip;
}

void read_model(const Reader& reader, const Json& model, WordPieceOptions& options) {
  reader.text(model, "unk_token", options.unk_token);
  reader.text(model, "continuing_subword_prefix", options.continuing_subword_prefix);
  if (!model.contains("max_input_chars_per_word")) return;
  const Json& longest = model.at("max_input_chars_per_word");
  if (!longest.is_number_unsigned()) reader.bad("'max_input_chars_per_word' is not a number");
  options.max_input_chars_per_word = longest.get<std::size_t>();
}

void place(const Reader& reader, std::vector<std::string>& pieces, std::size_t id, const std::string& piece) {
  if (pieces.size() <= id) pieces.resize(id + 1);
  if (!pieces[id].empty() && pieces[id] != piece) reader.bad(fmt::format("two pieces have the number {}", id));
  pieces[id] = piece;
}

// Pieces with rules of their own would be matched otherwise than the five special ones.
void read_added(const Reader& reader, const Json& root, const WordPieceOptions& options, std::size_t limit,
                std::vector<std::string>& pieces) {
  if (!root.contains("added_tokens")) return;
  if (!root.at("added_tokens").is_array()) reader.bad("'added_tokens' is not a list");
  for (const auto& token : root.at("added_tokens")) {
    if (!token.is_object() || !token.contains("id")) reader.bad("an added token has no number");
    std::string content;
    reader.text(token, "content", content);
    bool rules = false;
    for (const char* key : {"single_word", "lstrip", "rstrip", "normalized"}) {
      bool value = false;
      reader.flag(token, key, value);
      rules = rules || value;
    }
    const bool known = content == options.unk_token || content == options.cls_token || content == options.sep_token ||
                       content == options.pad_token || content == options.mask_token;
    if (rules || !known) reader.bad(fmt::format("the added token '{}' is not one of BERT's", content));
    place(reader, pieces, reader.id(token.at("id"), limit), content);
  }
}

}  // namespace

DescribedTokenizer read_tokenizer_json(const std::string& name, std::string_view contents, WordPieceOptions options) {
  const Reader reader(name);
  const Json root = Json::parse(contents, nullptr, false);
  if (!root.is_object()) reader.bad("is not JSON");
  const Json& model = reader.object(root, "model");
  if (model.contains("type")) reader.expect_type(root, "model", "WordPiece");
  reader.expect_type(root, "normalizer", "BertNormalizer");
  reader.expect_type(root, "pre_tokenizer", "BertPreTokenizer");
  read_model(reader, model, options);
  read_normaliser(reader, root.at("normalizer"), options.basic);

  const Json& vocabulary = reader.object(model, "vocab");
  const std::size_t limit = 2 * vocabulary.size() + 1000;  // numbers may have gaps
  std::vector<std::string> pieces;
  for (const auto& [piece, id] : vocabulary.items()) place(reader, pieces, reader.id(id, limit), piece);
  read_added(reader, root, options, limit, pieces);
  return {Vocabulary(name, std::move(pieces)), std::move(options)};
}

}  // namespace strata::text
