// SPDX-License-Identifier: Apache-2.0
#include "strata/config/changes.hpp"

namespace strata::config {
namespace {

std::string value_of(const std::optional<Node>& node) {
  if (!node) return "nothing";
  std::string text = node->dump();
  while (text.ends_with('\n')) text.pop_back();
  return text.find('\n') == std::string::npos ? text : "...";
}

void compare(const std::string& path, const std::optional<Node>& before, const std::optional<Node>& after,
             std::vector<std::string>& into) {
  if (before && after && before->is_map() && after->is_map()) {
    for (const auto& [key, value] : before->entries())
      compare(path.empty() ? key : path + "." + key, value, after->find(key), into);
    for (const auto& [key, value] : after->entries())
      if (!before->has(key)) compare(path.empty() ? key : path + "." + key, {}, value, into);
    return;
  }
  if (before && after && *before == *after) return;
  into.push_back(path + ": " + value_of(before) + " -> " + value_of(after));
}

}  // namespace

std::vector<std::string> changes(const Node& before, const Node& after) {
  std::vector<std::string> found;
  compare("", before, after, found);
  return found;
}

}  // namespace strata::config
