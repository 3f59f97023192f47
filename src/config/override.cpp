// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/override.hpp"
#include "config/value.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::config {
namespace {

struct Step {
  std::string key;  // empty: an index
  std::size_t index = 0;
};

[[noreturn]] void bad(const std::string& text, std::string_view what, std::string_view hint = {}) {
  fail(ErrorKind::usage, "config", fmt::format("the override {} {}", printable(text, 400), what), hint);
}

constexpr std::string_view kForm = "write key.key=value, key[0]=value or ~key";

std::vector<Step> steps_of(const std::string& text, std::string_view path) {
  std::vector<Step> steps;
  bool key_expected = true;
  while (!path.empty()) {
    if (path[0] == '[') {
      std::size_t index = 0;
      const auto [end, code] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
      if (key_expected || code != std::errc() || end == path.data() + path.size() || *end != ']')
        bad(text, "has no index between [ and ]", kForm);
      steps.push_back({{}, index});
      path.remove_prefix(static_cast<std::size_t>(end - path.data()) + 1);
      if (!path.empty() && path[0] != '.' && path[0] != '[') bad(text, "has text behind an index", kForm);
    } else {
      const auto end = std::min(path.find_first_of(".["), path.size());
      if (end == 0 || !key_expected) bad(text, "has an empty key", kForm);
      steps.push_back({std::string(path.substr(0, end)), 0});
      path.remove_prefix(end);
    }
    key_expected = !path.empty() && path[0] == '.';
    if (key_expected) path.remove_prefix(1);
  }
  if (steps.empty() || key_expected) bad(text, "has an empty key", kForm);
  if (steps.size() > static_cast<std::size_t>(kDeepest)) bad(text, fmt::format("has more than {} levels", kDeepest));
  return steps;
}

// The same values, as if written on the command line.
ValuePtr relocated(const ValuePtr& value, const std::shared_ptr<const std::string>& source) {
  auto copy = std::make_shared<NodeValue>(*value);
  copy->source = source;
  copy->line = 0;
  for (auto& item : copy->items) item = relocated(item, source);
  for (auto& [key, child] : copy->entries) child = relocated(child, source);
  return copy;
}

class Setter {
 public:
  Setter(const std::string& text, std::span<const Step> steps, ValuePtr value)  // a null pointer takes the place away
      : text_(text), steps_(steps), value_(std::move(value)) {}

  ValuePtr set(const ValuePtr& at, std::size_t depth, const std::string& path) const {
    const Step& step = steps_[depth];
    auto copy = at ? std::make_shared<NodeValue>(*at) : std::make_shared<NodeValue>();
    if (step.key.empty()) {
      in_list(*copy, step.index, depth, path);
    } else {
      in_map(*copy, step.key, depth, path);
    }
    return copy;
  }

 private:
  bool last(std::size_t depth) const { return depth + 1 == steps_.size(); }

  ValuePtr below(const ValuePtr& child, std::size_t depth, const std::string& path) const {
    if (!last(depth)) return set(child, depth + 1, path);
    return child ? merged(child, value_) : value_;
  }

  void in_list(NodeValue& list, std::size_t index, std::size_t depth, const std::string& path) const {
    if (list.kind != Kind::list)
      bad(text_, fmt::format("asks for an item of {}, which is a {}", printable(path), name_of(list.kind)));
    if (index >= list.items.size())
      bad(text_, fmt::format("asks for item {} of {}, which has {}", index, printable(path), list.items.size()),
          "items count from 0; give the whole list to make it longer");
    if (last(depth) && !value_) {
      list.items.erase(list.items.begin() + static_cast<std::ptrdiff_t>(index));
    } else {
      list.items[index] = below(list.items[index], depth, child_path(path, index));
    }
  }

  void in_map(NodeValue& map, const std::string& key, std::size_t depth, const std::string& path) const {
    if (map.kind == Kind::null) {
      map.kind = Kind::map;
      if (value_) map.source = value_->source;
    }
    if (map.kind != Kind::map)
      bad(text_, fmt::format("asks for a key of {}, which is a {}", printable(path), name_of(map.kind)));
    const auto at = std::ranges::find(map.entries, key, &std::pair<std::string, ValuePtr>::first);
    const std::string here = child_path(path, key);
    if (at == map.entries.end() && !value_) nothing_there(map, key, here);
    if (at == map.entries.end()) {
      map.entries.emplace_back(key, below(nullptr, depth, here));
    } else if (last(depth) && !value_) {
      map.entries.erase(at);
    } else {
      at->second = below(at->second, depth, here);
    }
  }

  [[noreturn]] void nothing_there(const NodeValue& map, const std::string& key, const std::string& path) const {
    std::vector<std::string_view> names;
    for (const auto& [name, child] : map.entries) names.emplace_back(name);
    const auto near = nearest_name(key, names);
    bad(text_, fmt::format("takes away {}, which is not there", printable(path)),
        near.empty() ? std::string() : fmt::format("is {} meant?", printable(near)));
  }

  const std::string& text_;
  std::span<const Step> steps_;
  ValuePtr value_;
};

}  // namespace

ValuePtr merged(const ValuePtr& base, const ValuePtr& over) {
  if (!base || base->kind != Kind::map || over->kind != Kind::map) return over;
  auto result = std::make_shared<NodeValue>(*base);
  result->source = over->source;
  result->line = over->line;
  for (const auto& [key, value] : over->entries) {
    const auto at = std::ranges::find(result->entries, key, &std::pair<std::string, ValuePtr>::first);
    if (at == result->entries.end()) {
      result->entries.emplace_back(key, value);
    } else {
      at->second = merged(at->second, value);
    }
  }
  return result;
}

ValuePtr placed(std::string_view path, const ValuePtr& value) {
  if (path.empty()) return value;
  const auto dot = path.find('.');
  auto map = std::make_shared<NodeValue>();
  map->kind = Kind::map;
  map->source = value->source;
  map->line = value->line;
  map->entries.emplace_back(path.substr(0, dot),
                            placed(dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1), value));
  return map;
}

Override parse_override(const std::string& text) {
  if (text.starts_with('~')) {
    if (text.find('=') != std::string::npos) bad(text, "takes away and sets at once", kForm);
    return {text.substr(1), {}};
  }
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) bad(text, "is not of the form key=value", kForm);
  const auto source = std::make_shared<const std::string>("command line: " + text);
  const Node value = Node::parse(std::string_view(text).substr(equals + 1), "override " + text);
  return {text.substr(0, equals), relocated(value.value(), source)};
}

Node merge(const Node& base, const Node& over) {
  return {merged(base.is_null() ? nullptr : base.value(), over.value()), {}};
}

Node apply_override(const Node& config, const std::string& text) {
  const Override change = parse_override(text);
  const auto steps = steps_of(text, change.path);
  return {Setter(text, steps, change.value).set(config.value(), 0, {}), {}};
}

}  // namespace strata::config
