// SPDX-License-Identifier: Apache-2.0
#include "strata/text/basic_tokenizer.hpp"

#include <algorithm>

#include "text/unicode.hpp"

namespace strata::text {
namespace {

bool is_line_space(char32_t c) { return c == U'\t' || c == U'\n' || c == U'\r'; }

std::u32string cleaned(std::u32string_view text) {
  constexpr char32_t kReplacement = 0xFFFD;
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (c == 0 || c == kReplacement || (!is_line_space(c) && is_other(c))) continue;
    out.push_back(is_white_space(c) ? U' ' : c);
  }
  return out;
}

std::u32string with_ideographs_apart(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (is_cjk_ideograph(c))
      out += {U' ', c, U' '};
    else
      out.push_back(c);
  }
  return out;
}

std::u32string without_accents(std::u32string_view text) {
  std::u32string out = decompose(text);
  std::erase_if(out, is_nonspacing_mark);
  return out;
}

std::u32string lower_cased(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_lower_case(out, c);
  return out;
}

}  // namespace

std::string normalise(std::string_view text, const BasicOptions& options) {
  std::u32string at = from_utf8(text);
  const bool ascii = std::ranges::all_of(at, [](char32_t c) { return c < 0x80; });
  if (options.clean_text) at = cleaned(at);
  if (options.tokenize_chinese_chars && !ascii) at = with_ideographs_apart(at);
  if (options.strips_accents() && !ascii) at = without_accents(at);
  if (options.do_lower_case) at = lower_cased(at);
  return to_utf8(at);
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  const std::u32string characters = from_utf8(text);
  const std::vector<std::size_t> offsets = character_offsets(text);
  std::size_t begin = 0;  // of the word that is being read
  const auto end_word = [&](std::size_t at) {
    if (at > begin) words.push_back(text.substr(begin, at - begin));
  };
  for (std::size_t i = 0; i < characters.size(); ++i) {
    const bool punctuation = is_punctuation(characters[i]);
    if (!punctuation && !is_white_space(characters[i])) continue;
    end_word(offsets[i]);
    begin = punctuation ? offsets[i] : offsets[i + 1];
    if (punctuation) end_word(offsets[i + 1]);
    begin = offsets[i + 1];
  }
  end_word(text.size());
  return words;
}

}  // namespace strata::text
