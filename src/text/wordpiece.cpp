// SPDX-License-Identifier: Apache-2.0
#include "strata/text/wordpiece.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "text/tokenizer_json.hpp"
#include "text/unicode.hpp"

namespace strata::text {

WordPieceTokenizer::WordPieceTokenizer(Vocabulary vocabulary, WordPieceOptions options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
  unknown_ = vocabulary_.id(options_.unk_token);
  cls_ = vocabulary_.id(options_.cls_token);
  sep_ = vocabulary_.id(options_.sep_token);
  for (const auto& token :
       {options_.unk_token, options_.cls_token, options_.sep_token, options_.pad_token, options_.mask_token})
    if (const auto id = vocabulary_.find(token); id && !token.empty()) specials_.push_back({token, *id});
}

WordPieceTokenizer WordPieceTokenizer::from_contents(const std::string& name, std::string_view contents,
                                                     WordPieceOptions options) {
  const auto first = contents.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || contents[first] != '{')
    return {Vocabulary::from_lines(name, contents), std::move(options)};
  auto described = read_tokenizer_json(name, contents, std::move(options));
  return {std::move(described.vocabulary), std::move(described.options)};
}

// Of special pieces that begin alike, the longest.
const WordPieceTokenizer::Special* WordPieceTokenizer::special_at(std::string_view text) const {
  const Special* longest = nullptr;
  for (const auto& special : specials_)
    if (text.starts_with(special.text) && (longest == nullptr || longest->text.size() < special.text.size()))
      longest = &special;
  return longest;
}

std::vector<std::int32_t> WordPieceTokenizer::ids(std::string_view text) const {
  std::vector<std::int32_t> ids;
  std::size_t begin = 0;  // of the text that is not special
  if (!options_.split_special_tokens) {
    for (std::size_t at = 0; at < text.size();) {
      const Special* special = special_at(text.substr(at));
      if (special == nullptr) {
        ++at;
        continue;
      }
      append_plain(ids, text.substr(begin, at - begin));
      ids.push_back(special->id);
      at += special->text.size();
      begin = at;
    }
  }
  append_plain(ids, text.substr(begin));
  return ids;
}

void WordPieceTokenizer::append_plain(std::vector<std::int32_t>& ids, std::string_view text) const {
  const std::string normalised = normalise(text, options_.basic);
  for (const auto word : split_words(normalised)) append_word(ids, word);
}

void WordPieceTokenizer::append_word(std::vector<std::int32_t>& ids, std::string_view word) const {
  const auto offsets = character_offsets(word);
  const std::size_t characters = offsets.size() - 1, before = ids.size();
  std::size_t begin = characters > options_.max_input_chars_per_word ? characters + 1 : 0;
  std::string candidate;
  while (begin < characters) {
    candidate = begin > 0 ? options_.continuing_subword_prefix : std::string();
    const std::size_t prefix = candidate.size();
    candidate += word.substr(offsets[begin]);
    std::size_t end = characters;
    std::optional<std::int32_t> id;
    while (end > begin && !(id = vocabulary_.find(candidate))) {
      --end;
      candidate.resize(prefix + offsets[end] - offsets[begin]);
    }
    if (!id) break;
    ids.push_back(*id);
    begin = end;
  }
  if (begin == characters) return;
  ids.resize(before);
  ids.push_back(unknown_);
}

std::vector<std::int32_t> WordPieceTokenizer::encode(std::string_view text, std::int64_t context) const {
  STRATA_CHECK(context >= 3, usage, "tokenizer", fmt::format("a context of {} has no room for a piece", context),
               "BERT's context is at most 512");
  std::vector<std::int32_t> encoded = ids(text);
  encoded.resize(std::min(encoded.size(), static_cast<std::size_t>(context - 2)));
  encoded.insert(encoded.begin(), cls_);
  encoded.push_back(sep_);
  return encoded;
}

std::vector<std::string> WordPieceTokenizer::pieces(std::string_view text) const {
  std::vector<std::string> out;
  for (const auto id : ids(text)) out.push_back(vocabulary_.piece(id));
  return out;
}

}  // namespace strata::text
