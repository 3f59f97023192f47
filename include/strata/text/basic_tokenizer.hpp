// SPDX-License-Identifier: Apache-2.0
//
// The first half of BERT's tokenizer: text to normalised words, as Hugging Face's BertTokenizerFast forms them
// (BertNormalizer and BertPreTokenizer of the library tokenizers 0.22). For models whose vocabulary was made with it;
// not for reading words as people see them. Linear in the text; a report costs tens of microseconds.
//
// Bytes that are no UTF-8 count as U+FFFD, each maximal part of an ill-formed sequence as one; cleaning drops them.
//
// What a character is follows the Unicode tables that library was built with, whatever version ICU has: categories of
// Unicode 8, decompositions of Unicode 9; a later character is a letter to it. Capitals newer than ICU's tables stay.
// The older BertTokenizer asks Python's tables instead. It differs in characters newer than Unicode 8, unassigned ones
// (which it drops), U+166D, U+1734, U+1885, U+1886, U+A9BD, U+111C9, U+2B820 … U+2B91F, the sigma at the end of a word
// in capitals, and composes accents (NFC) where they stay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

// Names and defaults as in Hugging Face's configuration.
struct BasicOptions {
  bool clean_text = true;              // drop control characters, U+0000 and U+FFFD; white space to blanks
  bool tokenize_chinese_chars = true;  // each CJK ideograph is a word
  bool do_lower_case = true;
  std::optional<bool> strip_accents;  // canonical decomposition without its nonspacing marks; default: do_lower_case

  bool strips_accents() const { return strip_accents.value_or(do_lower_case); }
};

// Cleaned, CJK ideographs set off by blanks, accents stripped, lower-cased: in this order.
std::string normalise(std::string_view text, const BasicOptions& options);

// Splits normalised text at white space; a punctuation character is a word of its own. Views into `text`, which must be
// well-formed UTF-8.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace strata::text
