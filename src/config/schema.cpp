// SPDX-License-Identifier: Apache-2.0
#include "strata/config/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/value.hpp"
#include "strata/base/text.hpp"

namespace strata::config {
namespace {

constexpr std::size_t kWidest = 40;  // of the column of keys
constexpr std::size_t kShown = 20;   // problems in one message

std::string range_text(const FieldOptions& options) {
  std::vector<std::string> parts;
  if (options.least) parts.push_back(fmt::format("at least {}", *options.least));
  if (options.above) parts.push_back(fmt::format("above {}", *options.above));
  if (options.most) parts.push_back(fmt::format("at most {}", *options.most));
  if (options.below) parts.push_back(fmt::format("below {}", *options.below));
  return fmt::format("{}", fmt::join(parts, " and "));
}

std::string items_text(std::size_t count) { return fmt::format("{} item{}", count, count == 1 ? "" : "s"); }

std::string count_text(const FieldOptions& options) {
  if (options.fewest && options.longest && *options.fewest == *options.longest) return items_text(*options.fewest);
  std::vector<std::string> parts;
  if (options.fewest) parts.push_back("at least " + items_text(*options.fewest));
  if (options.longest) parts.push_back("at most " + items_text(*options.longest));
  return fmt::format("{}", fmt::join(parts, " and "));
}

std::string type_text(const FieldDescription& field) {
  std::string text = field.choices.empty() ? field.type : fmt::format("{}", fmt::join(field.choices, " | "));
  if (const auto range = range_text(field.options); !range.empty()) text += ' ' + range;
  if (!field.options.unit.empty()) text += fmt::format(" [{}]", field.options.unit);
  if (const auto count = count_text(field.options); !count.empty()) text += ", " + count;
  return text;
}

struct Line {
  std::string key, text;
};

void collect(const Description& description, const std::string& prefix, std::vector<Line>& lines) {
  for (const auto& field : description.fields) {
    const std::string path = child_path(prefix, field.name);
    const std::string help = field.options.help.empty() ? std::string() : ": " + field.options.help;
    if (field.part) {
      const auto count = count_text(field.options);
      lines.push_back({field.many ? path + "[]" : path, "list" + (count.empty() ? count : ", " + count) + help});
      if (!field.many) lines.back().text = field.options.help;
      collect(*field.part, field.many ? path + "[]" : path, lines);
    } else {
      const std::string value = field.options.required ? "?" : field.initial;
      lines.push_back({path + '=' + value, type_text(field) + help});
    }
  }
}

}  // namespace

std::string help_text(const Description& description, std::string_view prefix) {
  std::vector<Line> lines;
  collect(description, std::string(prefix), lines);
  std::size_t width = 0;
  for (const auto& line : lines)
    if (line.key.size() <= kWidest) width = std::max(width, line.key.size());
  std::string text;
  for (const auto& line : lines) {
    const bool fits = line.key.size() <= width;
    text += "  " + line.key + (fits ? std::string(width - line.key.size(), ' ') : "\n  " + std::string(width, ' '));
    text += "  " + line.text + '\n';
  }
  return text;
}

void Problems::add(const Error& error) {
  texts_.push_back(error.hint().empty() ? error.message() : fmt::format("{} ({})", error.message(), error.hint()));
}

void Problems::add(const Node& node, std::string_view what) {
  texts_.push_back(fmt::format("{} {}", node.describe(), what));
}

void Problems::fail() const {
  if (texts_.empty()) return;
  if (texts_.size() == 1) strata::fail(ErrorKind::usage, "config", texts_[0]);
  std::string text = fmt::format("{} things are wrong:", texts_.size());
  for (std::size_t i = 0; i < std::min(texts_.size(), kShown); ++i) text += "\n  " + texts_[i];
  if (texts_.size() > kShown) text += "\n  and more";
  strata::fail(ErrorKind::usage, "config", text);
}

namespace detail {

std::string plural(const std::string& type) {
  return type.ends_with("number") || type.ends_with("text") ? type + 's' : type;
}

void fail_count(const Node& node, std::size_t wanted) {
  node.complain(fmt::format("has {}, not {}", items_text(node.size()), wanted));
}

std::string outside(double value, const FieldOptions& options) {
  const bool inside = (!options.least || value >= *options.least) && (!options.above || value > *options.above) &&
                      (!options.most || value <= *options.most) && (!options.below || value < *options.below);
  if (inside) return {};
  return fmt::format("is {}, not {}{}", value, range_text(options),
                     options.unit.empty() ? std::string() : fmt::format(" ({})", options.unit));
}

std::string wrong_count(std::size_t items, const FieldOptions& options) {
  const bool right = (!options.fewest || items >= *options.fewest) && (!options.longest || items <= *options.longest);
  return right ? std::string() : fmt::format("has {}, not {}", items_text(items), count_text(options));
}

std::size_t choose(const Node& node, const std::vector<std::string>& names) {
  const std::string text = node.as<std::string>();
  const auto at = std::ranges::find(names, text);
  if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
  const auto near = text.size() < 64 ? nearest_name(text, names) : std::string_view();
  node.complain(fmt::format("is {}, not one of {}", printable(text), fmt::join(names, ", ")),
                near.empty() ? std::string() : fmt::format("is '{}' meant?", near));
}

std::string leaf(const Node& node) {
  std::string text = node.dump();
  if (!text.empty() && text.back() == '\n') text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

void check_known(const Node& map, const Description& description, Problems& problems) {
  std::vector<std::string_view> names;
  for (const auto& field : description.fields) names.emplace_back(field.name);
  try {
    map.check_keys(names);
  } catch (const Error& error) {
    problems.add(error);
  }
}

}  // namespace detail
}  // namespace strata::config
