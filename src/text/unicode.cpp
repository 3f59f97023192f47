// SPDX-License-Identifier: Apache-2.0
#include "text/unicode.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "strata/base/error.hpp"

namespace strata::text {
namespace {

constexpr std::uint8_t kCategoriesOf = 8, kDecompositionsOf = 9;  // versions of Unicode

UChar32 code(char32_t c) { return static_cast<UChar32>(c); }

bool assigned_in(char32_t c, std::uint8_t version) {
  UVersionInfo age{};
  u_charAge(code(c), age);
  return age[0] != 0 && (age[0] < version || (age[0] == version && age[1] == 0));
}

// Six characters have changed their category since Unicode 8.
std::uint32_t category(char32_t c) {
  switch (c) {
    case 0x166D:
    case 0x111C9: return U_GC_PO_MASK;
    case 0x1734: return U_GC_MN_MASK;
    case 0x1885:
    case 0x1886: return U_GC_LO_MASK;
    case 0xA9BD: return U_GC_MC_MASK;
    default: break;
  }
  const std::uint32_t mask = 1u << static_cast<unsigned>(u_charType(code(c)));
  return c < 0x80 || assigned_in(c, kCategoriesOf) ? mask : U_GC_CN_MASK;
}

void check(UErrorCode status) {
  STRATA_CHECK(U_SUCCESS(status) != 0, environment, "text", u_errorName(status), "is ICU installed as a whole?");
}

// ICU counts in 32 bits.
std::int32_t checked_length(std::size_t size) {
  STRATA_CHECK(size < static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()), data, "text",
               "one text is longer than 512 MB", "is it a report?");
  return static_cast<std::int32_t>(size);
}

std::u32string to_utf32(std::u16string_view units) {
  std::u32string out(units.size(), U'\0');
  const auto length = static_cast<std::int32_t>(units.size());
  std::int32_t written = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strToUTF32(reinterpret_cast<UChar32*>(out.data()), length, &written, units.data(), length, &status);
  check(status);
  out.resize(static_cast<std::size_t>(written));
  return out;
}

const UNormalizer2* form_d() {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* instance = unorm2_getNFDInstance(&status);
  check(status);
  return instance;
}

std::uint8_t combining_class(char32_t c) {
  return assigned_in(c, kDecompositionsOf) ? u_getCombiningClass(code(c)) : std::uint8_t{0};
}

void append_decomposition(std::u32string& to, const UNormalizer2* form, char32_t c) {
  constexpr std::int32_t kRoom = 32;  // canonical decompositions have at most 4 characters
  std::array<char16_t, kRoom> units{};
  UErrorCode status = U_ZERO_ERROR;
  const std::int32_t length =
      assigned_in(c, kDecompositionsOf) ? unorm2_getDecomposition(form, code(c), units.data(), kRoom, &status) : -1;
  if (length < 0)
    to.push_back(c);
  else
    to += to_utf32({units.data(), static_cast<std::size_t>(length)});
}

// Canonical ordering: each run of characters with a class, sorted by it, equal ones in their order.
void order_marks(std::u32string& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, text.end(), [](char32_t c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

}  // namespace

std::u32string from_utf8(std::string_view text) {
  constexpr UChar32 kReplacement = 0xFFFD;
  const std::int32_t length = checked_length(text.size());
  std::u16string units(text.size(), u'\0');  // never more of them than bytes
  std::int32_t written = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8WithSub(units.data(), length, &written, text.data(), length, kReplacement, nullptr, &status);
  check(status);
  units.resize(static_cast<std::size_t>(written));
  return to_utf32(units);
}

std::string to_utf8(std::u32string_view text) {
  constexpr std::size_t kBytes = 4, kUnits = 2;  // at most, of one character
  checked_length(kBytes * text.size());
  std::u16string units(kUnits * text.size(), u'\0');
  std::int32_t written = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF32(units.data(), static_cast<std::int32_t>(units.size()), &written,
                 reinterpret_cast<const UChar32*>(text.data()), static_cast<std::int32_t>(text.size()), &status);
  check(status);
  std::string bytes(kBytes * text.size(), '\0');
  std::int32_t size = 0;
  u_strToUTF8(bytes.data(), static_cast<std::int32_t>(bytes.size()), &size, units.data(), written, &status);
  check(status);
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

bool is_utf8(std::string_view text) {
  const std::int32_t length = checked_length(text.size());
  std::u16string units(text.size(), u'\0');
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8(units.data(), length, nullptr, text.data(), length, &status);
  return U_SUCCESS(status) != 0;
}

std::vector<std::size_t> character_offsets(std::string_view text) {
  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0u) != 0x80u) offsets.push_back(i);
  offsets.push_back(text.size());
  return offsets;
}

bool is_other(char32_t c) { return (category(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0; }

// BERT counts all printable ASCII but letters and digits.
bool is_punctuation(char32_t c) {
  if (c < 0x80) return u_isgraph(code(c)) != 0 && u_isalnum(code(c)) == 0;
  return (category(c) & U_GC_P_MASK) != 0;
}

bool is_nonspacing_mark(char32_t c) { return (category(c) & U_GC_MN_MASK) != 0; }

bool is_white_space(char32_t c) { return u_isUWhiteSpace(code(c)) != 0; }

// BERT's blocks, with the gap of the tokenizers library before U+2B920.
bool is_cjk_ideograph(char32_t c) {
  constexpr std::array<std::array<char32_t, 2>, 7> kBlocks{{{0x3400, 0x4DBF},
                                                            {0x4E00, 0x9FFF},
                                                            {0xF900, 0xFAFF},
                                                            {0x20000, 0x2A6DF},
                                                            {0x2A700, 0x2B81F},
                                                            {0x2B920, 0x2CEAF},
                                                            {0x2F800, 0x2FA1F}}};
  return std::ranges::any_of(kBlocks, [c](const auto& block) { return block[0] <= c && c <= block[1]; });
}

std::u32string decompose(std::u32string_view text) {
  const UNormalizer2* form = form_d();
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_decomposition(out, form, c);
  order_marks(out);
  return out;
}

// Only one character becomes two without regard to language and context.
void append_lower_case(std::u32string& to, char32_t c) {
  constexpr char32_t kCapitalIWithDot = 0x130, kDotAbove = 0x307;
  if (c == kCapitalIWithDot)
    to += {U'i', kDotAbove};
  else
    to.push_back(static_cast<char32_t>(u_tolower(code(c))));
}

}  // namespace strata::text
