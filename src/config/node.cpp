// SPDX-License-Identifier: Apache-2.0
#include "strata/config/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/value.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::config {
namespace {

Node made(NodeValue value) { return {std::make_shared<const NodeValue>(std::move(value)), {}}; }

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::null: return "nothing";
    case Kind::scalar: return "single value";
    case Kind::list: return "list";
    case Kind::map: return "map";
  }
  return "unknown";
}

std::string child_path(std::string_view parent, std::string_view key) {
  return parent.empty() ? std::string(key) : fmt::format("{}.{}", parent, key);
}

std::string child_path(std::string_view parent, std::size_t index) { return fmt::format("{}[{}]", parent, index); }

const ValuePtr* find_entry(const NodeValue& map, std::string_view key) {
  const auto at = std::ranges::find(map.entries, key, [](const auto& entry) { return std::string_view(entry.first); });
  return at == map.entries.end() ? nullptr : &at->second;
}

Node::Node() : value_(std::make_shared<const NodeValue>()) {}
Node::Node(std::shared_ptr<const NodeValue> value, std::string path)
    : value_(std::move(value)), path_(std::move(path)) {}

Node Node::list(std::span<const Node> items) {
  NodeValue value;
  value.kind = Kind::list;
  for (const Node& item : items) value.items.push_back(item.value_);
  return made(std::move(value));
}

Node Node::map(std::span<const std::pair<std::string, Node>> entries) {
  NodeValue value;
  value.kind = Kind::map;
  for (const auto& [key, node] : entries) {
    STRATA_CHECK(find_entry(value, key) == nullptr, usage, "config",
                 fmt::format("the key {} stands twice", printable(key)));
    value.entries.emplace_back(key, node.value_);
  }
  return made(std::move(value));
}

Kind Node::kind() const { return value_->kind; }
bool Node::quoted() const { return value_->quoted; }

std::string Node::where() const {
  if (!value_->source) return "made by the program";
  return value_->line > 0 ? fmt::format("{}:{}", *value_->source, value_->line) : *value_->source;
}

std::string Node::describe() const {
  return fmt::format("{} ({})", path_.empty() ? std::string("the whole file") : printable(path_, 200), where());
}

void Node::complain(std::string_view what, std::string_view hint) const {
  fail(ErrorKind::usage, "config", fmt::format("{} {}", describe(), what), hint);
}

std::optional<Node> Node::find(std::string_view key) const {
  if (is_null()) return {};
  if (!is_map()) complain(fmt::format("is a {}, not a map with the key {}", name_of(kind()), printable(key)));
  const ValuePtr* found = find_entry(*value_, key);
  if (found == nullptr) return {};
  return Node(*found, child_path(path_, key));
}

Node Node::at(std::string_view key) const {
  if (auto found = find(key)) return *std::move(found);
  std::vector<std::string_view> names;
  for (const auto& [name, value] : value_->entries)
    if (name.size() < 64) names.emplace_back(name);
  const auto near = key.size() < 64 ? nearest_name(key, names) : std::string_view();
  complain(fmt::format("has no key {}", printable(key)),
           near.empty() ? std::string("add it") : fmt::format("is {} meant?", printable(near)));
}

std::vector<std::pair<std::string, Node>> Node::entries() const {
  if (!is_map() && !is_null()) complain(fmt::format("is a {}, not a map", name_of(kind())));
  std::vector<std::pair<std::string, Node>> all;
  for (const auto& [key, value] : value_->entries) all.emplace_back(key, Node(value, child_path(path_, key)));
  return all;
}

std::vector<Node> Node::items() const {
  if (!is_list() && !is_null()) complain(fmt::format("is a {}, not a list", name_of(kind())), "write [a, b, c]");
  std::vector<Node> all;
  for (std::size_t i = 0; i < value_->items.size(); ++i) all.emplace_back(value_->items[i], child_path(path_, i));
  return all;
}

Node Node::item(std::size_t index) const {
  if (!is_list()) complain(fmt::format("is a {}, not a list", name_of(kind())), "write [a, b, c]");
  if (index >= size()) complain(fmt::format("has {} items, item {} was asked for (from 0)", size(), index));
  return {value_->items[index], child_path(path_, index)};
}

std::size_t Node::size() const { return value_->items.size() + value_->entries.size(); }

void Node::check_keys(std::span<const std::string_view> known) const {
  std::string unknown;
  std::size_t count = 0;
  for (const auto& [key, node] : entries()) {
    if (std::ranges::find(known, std::string_view(key)) != known.end()) continue;
    if (++count > 20) continue;
    const auto near = key.size() < 64 ? nearest_name(key, known) : std::string_view();
    unknown += fmt::format("{}{} ({}){}", count > 1 ? "; " : "", printable(node.path(), 200), node.where(),
                           near.empty() ? std::string() : fmt::format(", is '{}' meant?", near));
  }
  if (count == 0) return;
  fail(ErrorKind::usage, "config",
       fmt::format("{} unknown key{}: {}{}", count, count == 1 ? "" : "s", unknown, count > 20 ? "; and more" : ""),
       fmt::format("known here: {}", fmt::join(known, ", ")));
}

bool Node::operator==(const Node& other) const {
  const NodeValue &a = *value_, &b = *other.value_;
  if (&a == &b) return true;
  if (a.kind != b.kind || a.text != b.text || a.quoted != b.quoted || size() != other.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (Node(a.items[i], {}) != Node(b.items[i], {})) return false;
  for (std::size_t i = 0; i < a.entries.size(); ++i)
    if (a.entries[i].first != b.entries[i].first || Node(a.entries[i].second, {}) != Node(b.entries[i].second, {}))
      return false;
  return true;
}

}  // namespace strata::config
