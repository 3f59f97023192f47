// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "config/value.hpp"

namespace strata::config {
namespace {

bool plain_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '/' || c == '-' || c == '+';
}

// Bytes that any YAML reader takes as they stand, whatever surrounds them.
bool is_plain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, plain_letter) && text[0] != '-' && text[0] != '+' && text[0] != '.';
}

std::string double_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += fmt::format("\\{}", c);
    } else if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string key_text(std::string_view key) {
  return is_plain(key) && !reads_as_other(key) ? std::string(key) : double_quoted(key);
}

std::string scalar_text(const NodeValue& value) {
  if (value.kind == Kind::null) return "null";
  if (value.quoted) return double_quoted(value.text);
  return is_plain(value.text) || reads_as_other(value.text) ? value.text : double_quoted(value.text);
}

bool is_leaf(const NodeValue& value) {
  return value.kind == Kind::null || value.kind == Kind::scalar || (value.items.empty() && value.entries.empty());
}

std::string leaf_text(const NodeValue& value) {
  if (value.kind == Kind::list) return "[]";
  return value.kind == Kind::map ? "{}" : scalar_text(value);
}

bool fits_a_line(const NodeValue& value) {
  return value.kind == Kind::list && std::ranges::all_of(value.items, [](const ValuePtr& v) { return is_leaf(*v); });
}

void write(const NodeValue& value, std::size_t indent, bool after_dash, std::string& out);

// What stands behind "key:" or "-": on the same line if it is short, else below.
void write_child(const NodeValue& value, std::size_t indent, bool in_list, std::string& out) {
  if (is_leaf(value)) {
    out += " " + leaf_text(value) + "\n";
  } else if (fits_a_line(value)) {
    out += " [";
    for (std::size_t i = 0; i < value.items.size(); ++i) out += (i > 0 ? ", " : "") + leaf_text(*value.items[i]);
    out += "]\n";
  } else if (in_list) {
    out += " ";
    write(value, indent, true, out);
  } else {
    out += "\n";
    write(value, indent, false, out);
  }
}

void write(const NodeValue& value, std::size_t indent, bool after_dash, std::string& out) {
  bool first = after_dash;
  const auto begin_line = [&] {
    if (!first) out.append(indent, ' ');
    first = false;
  };
  for (const ValuePtr& item : value.items) {
    begin_line();
    out += "-";
    write_child(*item, indent + 2, true, out);
  }
  for (const auto& [key, child] : value.entries) {
    begin_line();
    out += key_text(key) + ":";
    write_child(*child, indent + 2, false, out);
  }
}

}  // namespace

std::string Node::dump() const {
  std::string out;
  if (is_leaf(*value_) || fits_a_line(*value_)) {
    write_child(*value_, 0, false, out);
    return out.substr(1);
  }
  write(*value_, 0, false, out);
  return out;
}

}  // namespace strata::config
