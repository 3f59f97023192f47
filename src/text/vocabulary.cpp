// SPDX-License-Identifier: Apache-2.0
#include "strata/text/vocabulary.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "text/unicode.hpp"

namespace strata::text {

Vocabulary::Vocabulary(std::string name, std::vector<std::string> pieces)
    : name_(std::move(name)), pieces_(std::move(pieces)) {
  STRATA_CHECK(!pieces_.empty(), data, "vocabulary", fmt::format("{} holds no pieces", name_));
  STRATA_CHECK(pieces_.size() < 1u << 30, data, "vocabulary",
               fmt::format("{} holds {} pieces, more than numbers are for", name_, pieces_.size()));
  ids_.reserve(pieces_.size());
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    STRATA_CHECK(is_utf8(pieces_[i]), data, "vocabulary", fmt::format("piece {} of {} is not UTF-8", i, name_),
                 "is it a vocabulary?");
    ids_[pieces_[i]] = static_cast<std::int32_t>(i);
  }
}

Vocabulary Vocabulary::from_lines(std::string name, std::string_view contents) {
  std::vector<std::string> pieces;
  while (!contents.empty()) {
    const auto end = contents.find_first_of("\r\n");
    pieces.emplace_back(contents.substr(0, end));
    if (end == std::string_view::npos) break;
    contents.remove_prefix(end + (contents.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  return {std::move(name), std::move(pieces)};
}

std::optional<std::int32_t> Vocabulary::find(std::string_view piece) const {
  const auto at = ids_.find(piece);
  return at == ids_.end() ? std::nullopt : std::optional(at->second);
}

std::int32_t Vocabulary::id(std::string_view piece) const {
  const auto found = find(piece);
  STRATA_CHECK(found.has_value(), data, "vocabulary", fmt::format("{} has no piece {}", name_, piece),
               "is it a vocabulary of BERT's WordPiece?");
  return *found;
}

const std::string& Vocabulary::piece(std::int32_t id) const {
  STRATA_CHECK(id >= 0 && id < size(), data, "vocabulary",
               fmt::format("{} has no piece number {}: it has {}", name_, id, size()));
  return pieces_[static_cast<std::size_t>(id)];
}

std::string Vocabulary::lines() const {
  std::string text;
  for (const auto& piece : pieces_) text += piece + "\n";
  return text;
}

}  // namespace strata::text
