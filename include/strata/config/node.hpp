// SPDX-License-Identifier: Apache-2.0
//
// Configuration as a tree of values that know where they were written: each node has its path from the root
// ("data.grid[1]") and its file and line, so that every complaint can name both. Trees are immutable; a node is a cheap
// handle that shares its tree. YAML is read by a library that no header names. Not for large data: a text has at most
// 1 MiB, 64 levels and 200 000 nodes, and anchors and aliases are refused, so a hostile file costs little.
//
// Scalars keep the text they were written with and become typed when they are asked for: 'true'/'false' (bool),
// 64-bit integers, doubles (also .inf, .nan), text. A quoted scalar is text and nothing else. All errors are usage
// errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::config {

enum class Kind { null, scalar, list, map };

std::string_view name_of(Kind kind);

struct NodeValue;

class Node {
 public:
  Node();  // null, from nowhere

  static Node parse(std::string_view text, const std::string& name);  // `name` stands for the file in where()
  static Node load(const std::string& file);

  // Trees that a program makes. Texts are quoted in dump() where they would read as something else.
  static Node of(bool value);
  static Node of(std::int64_t value);
  static Node of(int value) { return of(std::int64_t{value}); }
  static Node of(double value);  // the shortest text that reads as the same double
  static Node of(std::string_view text);
  static Node of(const char* text) { return of(std::string_view(text)); }
  static Node list(std::span<const Node> items);
  static Node map(std::span<const std::pair<std::string, Node>> entries);  // keys in this order; one twice: error
  template <class T>
  static Node list_of(const std::vector<T>& values);

  Kind kind() const;
  bool is_null() const { return kind() == Kind::null; }
  bool is_scalar() const { return kind() == Kind::scalar; }
  bool is_list() const { return kind() == Kind::list; }
  bool is_map() const { return kind() == Kind::map; }

  const std::string& path() const { return path_; }  // empty at the root
  std::string where() const;                         // "configs/data/head_ct.yaml:12"
  std::string describe() const;                      // "data.grid[1] (configs/data/head_ct.yaml:12)"

  // Maps. A null node is an empty map; another kind is an error. The missing key of at() names the nearest one.
  Node at(std::string_view key) const;
  std::optional<Node> find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key).has_value(); }
  std::vector<std::pair<std::string, Node>> entries() const;  // in the order of the file

  // Lists. A null node is an empty list; another kind is an error.
  std::vector<Node> items() const;
  Node item(std::size_t index) const;

  std::size_t size() const;  // of a map or a list; null: 0

  // bool, int, std::int64_t, double, std::string, and vectors of them. What the text cannot be is an error that says
  // what it is instead.
  template <class T>
  T as() const;
  template <class T>
  T get(std::string_view key, T fallback) const;  // the fallback where the key is absent; null is no absence
  const std::string& text() const;                // of a scalar, as written
  bool quoted() const;  // text that would read as a number, a bool or null if it did not stand in quotes

  // All keys of a map that are not among `known`, each with the nearest that is, in one error.
  void check_keys(std::span<const std::string_view> known) const;
  void check_keys(std::initializer_list<std::string_view> known) const {
    check_keys(std::span(known.begin(), known.size()));
  }

  // Canonical YAML: the same tree gives the same text, and parse(dump()) gives the same tree.
  std::string dump() const;
  bool operator==(const Node& other) const;  // same values; where they stand does not matter

  [[noreturn]] void complain(std::string_view what, std::string_view hint = {}) const;

  // For this floor: composition makes trees out of trees.
  Node(std::shared_ptr<const NodeValue> value, std::string path);
  const std::shared_ptr<const NodeValue>& value() const { return value_; }

 private:
  std::shared_ptr<const NodeValue> value_;
  std::string path_;
};

template <>
bool Node::as<bool>() const;
template <>
std::int64_t Node::as<std::int64_t>() const;
template <>
int Node::as<int>() const;
template <>
double Node::as<double>() const;
template <>
std::string Node::as<std::string>() const;
template <>
std::vector<bool> Node::as<std::vector<bool>>() const;
template <>
std::vector<std::int64_t> Node::as<std::vector<std::int64_t>>() const;
template <>
std::vector<int> Node::as<std::vector<int>>() const;
template <>
std::vector<double> Node::as<std::vector<double>>() const;
template <>
std::vector<std::string> Node::as<std::vector<std::string>>() const;

template <class T>
T Node::get(std::string_view key, T fallback) const {
  const std::optional<Node> found = find(key);
  return found ? found->as<T>() : fallback;
}

template <class T>
Node Node::list_of(const std::vector<T>& values) {
  std::vector<Node> nodes;
  nodes.reserve(values.size());
  for (const T& value : values) nodes.push_back(of(value));
  return list(nodes);
}

}  // namespace strata::config
