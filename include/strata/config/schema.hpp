// SPDX-License-Identifier: Apache-2.0
//
// What a part of the configuration consists of, said once: names, types, units, ranges, help. From this one
// description come reading into a struct, every complaint, the text of --help, and the resolved configuration that a
// run keeps. Defaults are those of the struct itself.
//
//   struct Optim { double lr = 1e-3; std::vector<double> betas{0.9, 0.999}; };
//
//   Schema<Optim> optim_schema() {
//     Schema<Optim> schema;
//     schema.field("lr", &Optim::lr, {.help = "peak learning rate", .above = 0});
//     schema.field("betas", &Optim::betas, {.help = "decay of the moments", .least = 0, .below = 1});
//     return schema;
//   }
//   Schema<Run> schema;  schema.group("optim", &Run::optim, optim_schema(), "the optimizer");
//   const Run run = schema.read(composed.config);
//
// Members: bool, int, int64_t, uint64_t (up to 2^63 − 1), double, std::string (null: empty), std::vector and std::array
// of them, std::optional (null: none), enums with the names of their values, groups of other schemas, lists of groups.
// Reading collects everything that is wrong and says it in one usage error.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/config/node.hpp"

namespace strata::config {

struct FieldOptions {
  std::string help = {};
  std::string unit = {};                                 // "mm", "studies", "GiB"
  std::optional<double> least = {}, above = {};          // of each number: at least, more than
  std::optional<double> most = {}, below = {};           // at most, less than
  std::optional<std::size_t> fewest = {}, longest = {};  // items of a list
  bool required = false;
};

struct Description;

// One field as a person reads it.
struct FieldDescription {
  std::string name, type, initial;  // initial: the default as YAML; empty for groups
  FieldOptions options;
  std::vector<std::string> choices;         // of an enum
  std::shared_ptr<const Description> part;  // of a group or a list of groups
  bool many = false;                        // a list of groups
};

struct Description {
  std::vector<FieldDescription> fields;
};

// A line a field: "optim.lr=0.001    number above 0: peak learning rate".
std::string help_text(const Description& description, std::string_view prefix = {});

// What was wrong so far; fail() throws all of it as one error.
class Problems {
 public:
  void add(const Error& error);
  void add(const Node& node, std::string_view what);
  void fail() const;
  bool empty() const { return texts_.empty(); }

 private:
  std::vector<std::string> texts_;
};

namespace detail {

std::string plural(const std::string& type);  // "numbers"

template <class V>
struct Binding;

template <class V>
requires std::same_as<V, bool> || std::same_as<V, int> || std::same_as<V, std::int64_t> || std::same_as<V, double> ||
    std::same_as<V, std::string>
struct Binding<V> {
  static std::string type() {
    if constexpr (std::same_as<V, bool>) return "true or false";
    if constexpr (std::same_as<V, double>) return "number";
    return std::same_as<V, std::string> ? "text" : "whole number";
  }
  static void read(const Node& node, V& value) {
    if constexpr (std::same_as<V, std::string>)
      value = node.is_null() ? std::string() : node.as<V>();  // "key=" on the command line
    else
      value = node.as<V>();
  }
  static Node write(const V& value) { return Node::of(value); }
  template <class F>
  static void numbers(const V& value, const F& f) {
    if constexpr (!std::same_as<V, bool> && !std::same_as<V, std::string>) f(static_cast<double>(value));
  }
};

template <>
struct Binding<std::uint64_t> {
  static std::string type() { return "whole number"; }
  static void read(const Node& node, std::uint64_t& value) {
    const auto number = node.as<std::int64_t>();
    if (number < 0) node.complain("is negative");
    value = static_cast<std::uint64_t>(number);
  }
  static Node write(std::uint64_t value) { return Node::of(static_cast<std::int64_t>(value)); }
  template <class F>
  static void numbers(std::uint64_t value, const F& f) {
    f(static_cast<double>(value));
  }
};

template <class V>
struct Binding<std::vector<V>> {
  static std::string type() { return "list of " + plural(Binding<V>::type()); }
  static void read(const Node& node, std::vector<V>& value) {
    std::vector<V> items;
    for (const Node& item : node.items()) {
      V one{};
      Binding<V>::read(item, one);
      items.push_back(std::move(one));
    }
    value = std::move(items);
  }
  static Node write(const std::vector<V>& value) {
    std::vector<Node> items;
    for (const V& one : value) items.push_back(Binding<V>::write(one));
    return Node::list(items);
  }
  template <class F>
  static void numbers(const std::vector<V>& value, const F& f) {
    for (const V& one : value) Binding<V>::numbers(one, f);
  }
};

[[noreturn]] void fail_count(const Node& node, std::size_t wanted);

template <class V, std::size_t N>
struct Binding<std::array<V, N>> {
  static std::string type() { return std::to_string(N) + " " + plural(Binding<V>::type()); }
  static void read(const Node& node, std::array<V, N>& value) {
    const auto items = node.items();
    if (items.size() != N) fail_count(node, N);
    for (std::size_t i = 0; i < N; ++i) Binding<V>::read(items[i], value[i]);
  }
  static Node write(const std::array<V, N>& value) {
    return Binding<std::vector<V>>::write(std::vector<V>(value.begin(), value.end()));
  }
  template <class F>
  static void numbers(const std::array<V, N>& value, const F& f) {
    for (const V& one : value) Binding<V>::numbers(one, f);
  }
};

template <class V>
struct Binding<std::optional<V>> {
  static std::string type() { return Binding<V>::type() + " or null"; }
  static void read(const Node& node, std::optional<V>& value) {
    if (node.is_null()) {
      value.reset();
    } else {
      V one{};
      Binding<V>::read(node, one);
      value = std::move(one);
    }
  }
  static Node write(const std::optional<V>& value) { return value ? Binding<V>::write(*value) : Node(); }
  template <class F>
  static void numbers(const std::optional<V>& value, const F& f) {
    if (value) Binding<V>::numbers(*value, f);
  }
};

std::string outside(double value, const FieldOptions& options);  // "is 3, not at most 2"; empty: it is inside
std::string wrong_count(std::size_t items, const FieldOptions& options);
std::size_t choose(const Node& node, const std::vector<std::string>& names);
std::string leaf(const Node& node);  // a default on one line
void check_known(const Node& map, const Description& description, Problems& problems);

// The values of an enum and what they are called.
template <class E>
class Names {
 public:
  explicit Names(std::vector<std::pair<std::string, E>> values) : values_(std::move(values)) {}

  E read(const Node& node) const { return values_[choose(node, texts())].second; }
  Node write(E wanted) const {
    for (const auto& [text, value] : values_)
      if (value == wanted) return Node::of(text);
    fail(ErrorKind::internal, "config", "an enum value has no name in its schema");
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> texts;
    for (const auto& [text, value] : values_) texts.push_back(text);
    return texts;
  }

 private:
  std::vector<std::pair<std::string, E>> values_;
};

}  // namespace detail

template <class T>
class Schema {
 public:
  Schema() : description_(std::make_shared<Description>()) {}

  template <class V>
  Schema& field(std::string name, V T::*member, FieldOptions options = {}) {
    using Binding = detail::Binding<V>;
    add(std::move(name), Binding::type(), detail::leaf(Binding::write(T{}.*member)), options, {});
    steps_.push_back({[member, options](const Node& node, T& into, Problems& problems) {
                        V value = into.*member;
                        Binding::read(node, value);
                        std::string wrong = detail::wrong_count(node.is_list() ? node.size() : 0, options);
                        Binding::numbers(value, [&](double number) {
                          if (wrong.empty()) wrong = detail::outside(number, options);
                        });
                        if (!wrong.empty()) return problems.add(node, wrong);
                        into.*member = std::move(value);
                      },
                      [member](const T& from) { return Binding::write(from.*member); }});
    return *this;
  }

  // An enum, each value under its name; an optional one may be null too.
  template <class E>
  requires std::is_enum_v<E> Schema& choice(std::string name, E T::*member,
                                            std::vector<std::pair<std::string, E>> values, FieldOptions options = {}) {
    const detail::Names<E> names(std::move(values));
    add(std::move(name), "choice", detail::leaf(names.write(T{}.*member)), std::move(options), names.texts());
    steps_.push_back({[member, names](const Node& node, T& into, Problems&) { into.*member = names.read(node); },
                      [member, names](const T& from) { return names.write(from.*member); }});
    return *this;
  }

  template <class E>
  requires std::is_enum_v<E> Schema& choice(std::string name, std::optional<E> T::*member,
                                            std::vector<std::pair<std::string, E>> values, FieldOptions options = {}) {
    const detail::Names<E> names(std::move(values));
    const auto write = [names](const std::optional<E>& value) { return value ? names.write(*value) : Node(); };
    add(std::move(name), "choice", detail::leaf(write(T{}.*member)), std::move(options), names.texts());
    description_->fields.back().choices.emplace_back("null");
    steps_.push_back({[member, names](const Node& node, T& into, Problems&) {
                        into.*member = node.is_null() ? std::nullopt : std::optional<E>(names.read(node));
                      },
                      [member, write](const T& from) { return write(from.*member); }});
    return *this;
  }

  template <class S>
  Schema& group(std::string name, S T::*member, Schema<S> schema, std::string help) {
    add_part(std::move(name), "group", schema, std::move(help), false);
    steps_.push_back(
        {[member, schema](const Node& node, T& into, Problems& problems) { schema.read(node, into.*member, problems); },
         [member, schema](const T& from) { return schema.dump(from.*member); }});
    return *this;
  }

  // A list of groups; an item that leaves a key out has the default of S.
  template <class S>
  Schema& list(std::string name, std::vector<S> T::*member, Schema<S> schema, FieldOptions options = {}) {
    add_part(std::move(name), "list", schema, options.help, true);
    description_->fields.back().options = options;
    steps_.push_back({[member, schema, options](const Node& node, T& into, Problems& problems) {
                        std::vector<S> items;
                        for (const Node& item : node.items()) schema.read(item, items.emplace_back(), problems);
                        const std::string wrong = detail::wrong_count(items.size(), options);
                        if (!wrong.empty()) problems.add(node, wrong);
                        into.*member = std::move(items);
                      },
                      [member, schema](const T& from) {
                        std::vector<Node> items;
                        for (const S& item : from.*member) items.push_back(schema.dump(item));
                        return Node::list(items);
                      }});
    return *this;
  }

  // What must hold between fields: a sentence that says what is wrong, or an empty one.
  Schema& check(std::function<std::string(const T&)> rule) {
    rules_.push_back(std::move(rule));
    return *this;
  }

  T read(const Node& node) const {
    T value{};
    Problems problems;
    read(node, value, problems);
    problems.fail();
    return value;
  }

  // Into a value that has its own defaults; a problem leaves the field as it was.
  void read(const Node& node, T& into, Problems& problems) const {
    if (!node.is_map() && !node.is_null()) return problems.add(node, "is not a map of keys");
    detail::check_known(node, *description_, problems);
    bool right = true;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const auto& field = description_->fields[i];
      const auto found = node.find(field.name);
      try {
        if (found) steps_[i].read(*found, into, problems);
      } catch (const Error& error) {
        problems.add(error);
        right = false;
      }
      if (!found && field.options.required)
        problems.add(node, "lacks the key '" + field.name + "', which has no default");
    }
    for (const auto& rule : rules_)
      if (const std::string wrong = right ? rule(into) : std::string(); !wrong.empty()) problems.add(node, wrong);
  }

  // Every field in the order of the description; read(dump(value)) gives the same value.
  Node dump(const T& value) const {
    std::vector<std::pair<std::string, Node>> entries;
    for (std::size_t i = 0; i < steps_.size(); ++i)
      entries.emplace_back(description_->fields[i].name, steps_[i].write(value));
    return Node::map(entries);
  }

  const Description& description() const { return *description_; }
  std::shared_ptr<const Description> shared_description() const { return description_; }
  std::string help(std::string_view prefix = {}) const { return help_text(*description_, prefix); }

 private:
  struct Step {
    std::function<void(const Node&, T&, Problems&)> read;
    std::function<Node(const T&)> write;
  };

  void add(std::string name, std::string type, std::string initial, FieldOptions options,
           std::vector<std::string> choices) {
    description_->fields.push_back(
        {std::move(name), std::move(type), std::move(initial), std::move(options), std::move(choices), {}, false});
  }

  template <class S>
  void add_part(std::string name, std::string type, const Schema<S>& schema, std::string help, bool many) {
    FieldOptions options;
    options.help = std::move(help);
    add(std::move(name), std::move(type), {}, std::move(options), {});
    description_->fields.back().part = schema.shared_description();
    description_->fields.back().many = many;
  }

  std::shared_ptr<Description> description_;
  std::vector<Step> steps_;
  std::vector<std::function<std::string(const T&)>> rules_;
};

}  // namespace strata::config
