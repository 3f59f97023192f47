// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/mutate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <limits>
#include <utility>
#include <vector>

namespace strata::fuzz {
namespace {

struct Span {
  std::size_t begin, length;
};

bool is_number(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '.'; }
bool is_mark(char c) { return std::string_view("{}[]():,").find(c) != std::string_view::npos; }
bool is_quote(char c) { return c == '"' || c == '\''; }

std::vector<Span> numbers_in(std::string_view text) {
  std::vector<Span> spans;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t begin = i;
    while (i < text.size() && is_number(text[i])) ++i;
    if (i > begin) spans.push_back({begin, i - begin});
  }
  return spans;
}

std::vector<Span> strings_in(std::string_view text) {
  std::vector<Span> spans;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_quote(text[i])) continue;
    const auto end = text.find(text[i], i + 1);
    if (end == std::string_view::npos) break;
    spans.push_back({i + 1, end - i - 1});
    i = end;
  }
  return spans;
}

// From one punctuation mark to some later one: members, elements, whole objects, and sometimes half of them.
Span piece_of(std::string_view text, Dice& dice) {
  std::vector<std::size_t> marks;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (is_mark(text[i])) marks.push_back(i);
  if (marks.size() < 2) return {0, text.size()};
  const std::size_t first = dice.below(marks.size() - 1);
  const std::size_t last = first + 1 + dice.below(std::min<std::size_t>(marks.size() - first - 1, 12));
  return {marks[first], marks[last] - marks[first]};
}

void replace_one(std::string& text, const std::vector<Span>& spans, std::span<const std::string_view> by, Dice& dice) {
  if (spans.empty() || by.empty()) return;
  const Span span = spans[dice.below(spans.size())];
  text.replace(span.begin, span.length, by[dice.below(by.size())]);
}

constexpr std::array<std::uint64_t, 16> kFeared{0,
                                                1,
                                                2,
                                                3,
                                                ~std::uint64_t{0},
                                                0x7f,
                                                0x80,
                                                0x7fff,
                                                0x8000,
                                                0x7fffffff,
                                                0x80000000,
                                                0x7fffffffffffffff,
                                                0x8000000000000000,
                                                std::bit_cast<std::uint64_t>(std::numeric_limits<double>::quiet_NaN()),
                                                std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity()),
                                                std::bit_cast<std::uint64_t>(-1e300)};

}  // namespace

std::string mutate_words(std::string bytes, std::size_t reach, Dice& dice) {
  reach = std::min(reach, bytes.size());
  for (std::size_t edits = 1 + dice.below(3); edits > 0; --edits) {
    const std::size_t size = std::size_t{1} << dice.below(4);
    const std::size_t at = dice.below(reach / size + 1) * size;
    std::uint64_t value = kFeared[dice.below(kFeared.size())];
    // A float's NaN and infinity lie in the upper half of the double's.
    if (size == 4 && value > 0x7fffffff && value != ~std::uint64_t{0}) value >>= 32;
    const bool turned = dice.below(4) == 0;
    for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i)
      bytes[at + i] = static_cast<char>(value >> 8 * (turned ? size - 1 - i : i) & 0xffu);
  }
  return bytes;
}

std::string mutate_bytes(std::string bytes, Dice& dice) {
  for (std::size_t edits = 1 + dice.below(4); edits > 0; --edits) {
    const std::size_t at = dice.below(bytes.size() + 1);
    const std::size_t length = std::min(bytes.size() - at, std::size_t{1} << dice.below(6));
    const char value = static_cast<char>(dice.below(256));
    switch (dice.below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << dice.below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = value;
        break;
      case 2: bytes.insert(at, 1 + dice.below(8), value); break;
      case 3: bytes.erase(at, length); break;
      case 4: bytes.insert(at, bytes.substr(at, length)); break;
      default: bytes.resize(dice.below(4) == 0 ? at : bytes.size());
    }
  }
  return bytes;
}

std::string mutate_text(std::string text, std::span<const std::string_view> numbers,
                        std::span<const std::string_view> strings, Dice& dice) {
  for (std::size_t edits = 1 + dice.below(3); edits > 0; --edits) {
    switch (dice.below(4)) {
      case 0: replace_one(text, numbers_in(text), numbers, dice); break;
      case 1: replace_one(text, strings_in(text), strings, dice); break;
      case 2: {
        const Span piece = piece_of(text, dice);
        text.erase(piece.begin, piece.length);
        break;
      }
      default: {
        const Span piece = piece_of(text, dice);
        text.insert(piece.begin, text.substr(piece.begin, piece.length));
      }
    }
  }
  return text;
}

}  // namespace strata::fuzz
