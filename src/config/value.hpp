// SPDX-License-Identifier: Apache-2.0
//
// What a configuration node shares: its value and the place it was written at. Only this floor looks inside.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "strata/config/node.hpp"

namespace strata::config {

inline constexpr std::size_t kLargestText = std::size_t{1} << 20;
inline constexpr int kDeepest = 64;
inline constexpr std::size_t kMostNodes = 200'000;

using ValuePtr = std::shared_ptr<const NodeValue>;

struct NodeValue {
  Kind kind = Kind::null;
  bool quoted = false;          // it stood in quotes and would read as something else than text without them
  std::string text;             // of a scalar
  std::vector<ValuePtr> items;  // of a list
  std::vector<std::pair<std::string, ValuePtr>> entries;  // of a map
  std::shared_ptr<const std::string> source;              // file name; none: made by the program
  int line = 0;                                           // from 1
};

std::string child_path(std::string_view parent, std::string_view key);
std::string child_path(std::string_view parent, std::size_t index);

const ValuePtr* find_entry(const NodeValue& map, std::string_view key);

// A plain scalar that a reader would take for null, a bool or a number: as text it must be quoted.
bool reads_as_other(std::string_view text);

}  // namespace strata::config
