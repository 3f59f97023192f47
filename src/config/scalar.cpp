// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "config/value.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::config {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::string_view without_plus(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+';
  return plus ? text.substr(1) : text;
}

std::optional<bool> to_bool(std::string_view text) {
  const std::string word = lower(text.substr(0, 8));
  if (word == "true" && text.size() == 4) return true;
  if (word == "false" && text.size() == 5) return false;
  return {};
}

std::optional<std::int64_t> to_int(std::string_view text) {
  text = without_plus(text);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::optional<double> to_double(std::string_view text) {
  text = without_plus(text);
  const bool minus = !text.empty() && text[0] == '-';
  const std::string_view digits = minus ? text.substr(1) : text;
  const std::string word = lower(digits.substr(0, 8));
  if (word == ".inf") return minus ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (word == ".nan" && !minus) return std::numeric_limits<double>::quiet_NaN();
  if (digits.empty() || !(digits[0] == '.' || (digits[0] >= '0' && digits[0] <= '9'))) return {};
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

Node made(std::string text, bool quoted) {
  auto value = std::make_shared<NodeValue>();
  value->kind = Kind::scalar;
  value->quoted = quoted;
  value->text = std::move(text);
  return {std::move(value), {}};
}

[[noreturn]] void unfit(const Node& node, std::string_view wanted) {
  if (!node.is_scalar()) node.complain(fmt::format("is a {}, not {}", name_of(node.kind()), wanted));
  if (node.quoted())
    node.complain(fmt::format("is the text \"{}\", not {}", printable(node.text()), wanted), "leave the quotes out");
  node.complain(fmt::format("is {}, not {}", printable(node.text()), wanted));
}

template <class T>
T plain(const Node& node, std::optional<T> (*convert)(std::string_view), std::string_view wanted) {
  const bool fit = node.is_scalar() && !node.quoted();
  const std::optional<T> value = fit ? convert(node.text()) : std::nullopt;
  if (!value) unfit(node, wanted);
  return *value;
}

template <class T>
std::vector<T> all_as(const Node& node) {
  std::vector<T> values;
  for (const Node& item : node.items()) values.push_back(item.as<T>());
  return values;
}

}  // namespace

bool reads_as_other(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kWords{"", "~", "null", "yes", "no", "on"};
  const std::string word = lower(text.substr(0, 8));
  return std::ranges::find(kWords, std::string_view(word)) != kWords.end() || word == "off" || to_bool(text) ||
         to_int(text) || to_double(text);
}

Node Node::of(bool value) { return made(value ? "true" : "false", false); }
Node Node::of(std::int64_t value) { return made(std::to_string(value), false); }
Node Node::of(std::string_view text) { return made(std::string(text), reads_as_other(text)); }

Node Node::of(double value) {
  std::string text;
  if (std::isnan(value)) {
    text = ".nan";
  } else if (std::isinf(value)) {
    text = value < 0 ? "-.inf" : ".inf";
  } else {
    text = fmt::format("{}", value);
  }
  return made(std::move(text), false);
}

const std::string& Node::text() const {
  if (!is_scalar()) unfit(*this, "text");
  return value_->text;
}

template <>
bool Node::as<bool>() const {
  return plain<bool>(*this, to_bool, "true or false");
}
template <>
std::int64_t Node::as<std::int64_t>() const {
  return plain<std::int64_t>(*this, to_int, "a whole number");
}
template <>
int Node::as<int>() const {
  const std::int64_t value = as<std::int64_t>();
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max())
    complain(fmt::format("is {}, beyond 32 bits", value));
  return static_cast<int>(value);
}
template <>
double Node::as<double>() const {
  return plain<double>(*this, to_double, "a number");
}
template <>
std::string Node::as<std::string>() const {
  return text();
}
template <>
std::vector<bool> Node::as<std::vector<bool>>() const {
  return all_as<bool>(*this);
}
template <>
std::vector<std::int64_t> Node::as<std::vector<std::int64_t>>() const {
  return all_as<std::int64_t>(*this);
}
template <>
std::vector<int> Node::as<std::vector<int>>() const {
  return all_as<int>(*this);
}
template <>
std::vector<double> Node::as<std::vector<double>>() const {
  return all_as<double>(*this);
}
template <>
std::vector<std::string> Node::as<std::vector<std::string>>() const {
  return all_as<std::string>(*this);
}

}  // namespace strata::config
