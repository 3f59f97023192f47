// SPDX-License-Identifier: Apache-2.0
//
// The pieces a tokenizer knows, numbered from 0. A value type, read once; looking a piece up costs one hash.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace strata::text {

class Vocabulary {
 public:
  Vocabulary() = default;
  // Piece i has the number i; of equal ones the last counts, as in Hugging Face's reader. `name` is what errors call
  // it. None, or one that is no UTF-8: data error.
  Vocabulary(std::string name, std::vector<std::string> pieces);
  // The contents of a vocab.txt: a piece a line.
  static Vocabulary from_lines(std::string name, std::string_view contents);

  const std::string& name() const { return name_; }
  std::int32_t size() const { return static_cast<std::int32_t>(pieces_.size()); }
  std::optional<std::int32_t> find(std::string_view piece) const;
  std::int32_t id(std::string_view piece) const;    // none: data error
  const std::string& piece(std::int32_t id) const;  // none: data error
  const std::vector<std::string>& pieces() const { return pieces_; }
  std::string lines() const;  // as a vocab.txt holds them

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view piece) const { return std::hash<std::string_view>{}(piece); }
  };

  std::string name_;
  std::vector<std::string> pieces_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
};

}  // namespace strata::text
