// SPDX-License-Identifier: Apache-2.0
//
// What the tokenizer asks of Unicode, answered by ICU's tables but as of the versions that the tokenizers library
// knows: general categories of Unicode 8.0, canonical decomposition and order of Unicode 9.0 (measured over all code
// points with tokenizers 0.22).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

std::u32string from_utf8(std::string_view text);  // each maximal ill-formed part becomes U+FFFD
std::string to_utf8(std::u32string_view text);
bool is_utf8(std::string_view text);
// Where the characters of well-formed UTF-8 begin, and its end.
std::vector<std::size_t> character_offsets(std::string_view text);

bool is_other(char32_t c);  // categories Cc, Cf, Co
bool is_punctuation(char32_t c);
bool is_nonspacing_mark(char32_t c);
bool is_white_space(char32_t c);
bool is_cjk_ideograph(char32_t c);

std::u32string decompose(std::u32string_view text);      // normalisation form D
void append_lower_case(std::u32string& to, char32_t c);  // full mapping without context

}  // namespace strata::text
