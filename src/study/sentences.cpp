// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "strata/study/records.hpp"

namespace strata::study {
namespace {

constexpr std::size_t kFullLine = 60;  // bytes of a line that was wrapped rather than ended

// Before a full stop that ends no sentence, in small letters.
constexpr std::array<std::string_view, 17> kAbbreviations{"dr",   "mr",     "mrs",  "ms",  "prof", "st",
                                                          "vs",   "approx", "cf",   "fig", "e.g",  "i.e",
                                                          "resp", "incl",   "excl", "img", "nos"};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_small(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool ends_sentence(char c) { return c == '.' || c == '!' || c == '?'; }
bool closes(char c) { return c == '"' || c == '\'' || c == ')' || c == ']'; }

// Blanks folded to one; none at the ends.
std::string folded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (!is_blank(c)) {
      result += c;
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

std::string_view without_bullet(std::string_view line) {
  for (const std::string_view bullet : {"- ", "* ", "+ ", "\xe2\x80\xa2", "\xc2\xb7", "\xe2\x80\x93 "})  // • · –
    if (line.starts_with(bullet)) return line.substr(bullet.size());
  return line;
}

bool is_bulleted(std::string_view line) { return without_bullet(line).size() != line.size(); }

// Is the stop at `at` of a line part of a word? "Dr. ", "T. ", "1. " where the line begins.
bool is_no_end(std::string_view text, std::size_t at) {
  if (text[at] != '.') return false;
  std::size_t begin = at;
  while (begin > 0 && !is_blank(text[begin - 1]) && text[begin - 1] != '(') --begin;
  std::string word(text.substr(begin, at - begin));
  std::ranges::transform(word, word.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (word.size() == 1 && is_letter(word[0])) return true;
  if (begin == 0 && !word.empty() && std::ranges::all_of(word, is_digit)) return true;
  return std::ranges::find(kAbbreviations, std::string_view(word)) != kAbbreviations.end();
}

// Cuts one paragraph, whose blanks are folded.
void cut(std::string_view text, std::vector<std::string>& into) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (!ends_sentence(text[i])) continue;
    std::size_t end = i + 1;
    while (end < text.size() && closes(text[end])) ++end;
    if (end + 1 >= text.size() || text[end] != ' ' || is_small(text[end + 1])) continue;
    if (is_no_end(text.substr(begin), i - begin)) continue;
    into.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
    i = end;
  }
  if (begin < text.size()) into.emplace_back(text.substr(begin));
}

// What belongs together although lines were broken.
std::vector<std::string> paragraphs(std::string_view report) {
  std::vector<std::string> result;
  bool open = false, wrapped = false;  // a line stands before; it did not end where it broke
  while (!report.empty()) {
    const std::size_t end = std::min(report.find_first_of("\r\n"), report.size());
    const std::string whole = folded(report.substr(0, end));
    const bool crlf = end + 1 < report.size() && report[end] == '\r' && report[end + 1] == '\n';
    report.remove_prefix(std::min(report.size(), end + (crlf ? 2 : 1)));
    const std::string line = folded(without_bullet(whole));
    if (line.empty()) {
      open = false;
      continue;
    }
    const bool goes_on = open && !is_bulleted(whole) && (wrapped || is_small(line[0]));
    if (goes_on) {
      result.back() += ' ' + line;
    } else {
      result.push_back(line);
    }
    open = true;
    wrapped = line.size() >= kFullLine && !ends_sentence(line.back());
  }
  return result;
}

bool says_something(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

std::vector<std::string> sentences(std::string_view report) {
  std::vector<std::string> pieces, result;
  for (const auto& paragraph : paragraphs(report)) cut(paragraph, pieces);
  std::string heading;
  for (auto& piece : pieces) {
    if (!says_something(piece)) continue;
    std::string text = heading.empty() ? std::move(piece) : heading + ' ' + piece;
    heading.clear();
    (text.back() == ':' ? heading = std::move(text) : result.emplace_back(std::move(text)));
  }
  if (!heading.empty()) result.push_back(std::move(heading));
  return result;
}

}  // namespace strata::study
