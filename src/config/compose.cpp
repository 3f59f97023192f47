// SPDX-License-Identifier: Apache-2.0
#include "strata/config/compose.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "config/override.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 256;
constexpr std::size_t kDeepestInclude = 16;

bool is_name(std::string_view name) {
  const bool letters = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '/';
  });
  return letters && !name.empty() && name.front() != '/' && name.back() != '/' &&
         name.find("..") == std::string_view::npos;
}

bool is_file(const fs::path& path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

// The group, and the key that its choice fills, of "text@model.text".
struct Target {
  std::string group, key;  // key: empty for the file itself
  bool operator<(const Target& other) const { return std::tie(group, key) < std::tie(other.group, other.key); }
};

Target target_of(const Node& where, std::string_view text) {
  Target target;
  const auto at = text.find('@');
  target.group = std::string(text.substr(0, at));
  target.key = at == std::string_view::npos ? target.group : std::string(text.substr(at + 1));
  std::ranges::replace(target.key, '/', '.');
  if (!is_name(target.group) || !is_name(target.key) || target.key.front() == '.' || target.key.back() == '.')
    where.complain(fmt::format("names the group {}", printable(text)), "write group: name, or group@key: name");
  if (target.key == "_here_") target.key.clear();
  return target;
}

class Composer {
 public:
  explicit Composer(std::span<const std::string> folders) : folders_(folders.begin(), folders.end()) {}

  // A choice from the outside comes before those of files; the first that is told wins.
  void choose(const Target& target, ValuePtr value, std::string where) {
    choices_.try_emplace(target, Choice{std::move(value), std::move(where), false});
  }

  ValuePtr primary(const std::string& name) {
    if (is_file(name)) return file(name, fs::path(name).parent_path().string(), false, 0);
    const std::string stem = name.ends_with(".yaml") ? name.substr(0, name.size() - 5) : name;
    if (!is_name(stem))
      fail(ErrorKind::usage, "config", fmt::format("there is no file {}", printable(name, 400)), "check the path");
    const auto slash = stem.rfind('/');
    return named(stem, slash == std::string::npos ? "" : stem.substr(0, slash), 0, nullptr);
  }

  // Choices that no file asked for are added; those of 'override' must have met their group.
  ValuePtr with_unused(ValuePtr config) {
    for (auto& [target, choice] : choices_) {
      if (choice.used) continue;
      choice.used = true;
      if (!choice.where.starts_with("command line")) not_met(target, choice);
      config = merged(config, chosen(target, *choice.value, 0));
    }
    return config;
  }

  Composed take(ValuePtr config) { return {Node(std::move(config), {}), std::move(files_), std::move(made_)}; }

  std::vector<std::string> names(const std::string& group) const {
    std::set<std::string> names;
    for (const auto& folder : folders_) {
      std::error_code code;
      for (const auto& entry : fs::directory_iterator(fs::path(folder) / group, code))
        if (entry.path().extension() == ".yaml") names.insert(entry.path().stem().string());
    }
    return {names.begin(), names.end()};
  }

  bool is_group(const std::string& name) const {
    return is_name(name) && std::ranges::any_of(folders_, [&](const std::string& folder) {
             std::error_code code;
             return fs::is_directory(fs::path(folder) / name, code);
           });
  }

 private:
  struct Choice {
    ValuePtr value;
    std::string where;
    bool used = false;
  };

  ValuePtr named(const std::string& name, const std::string& folder, std::size_t depth, const Node* where) {
    for (const auto& root : folders_)
      if (const auto path = fs::path(root) / (name + ".yaml"); is_file(path))
        return file(path.string(), folder, true, depth);
    const auto known = names(folder);
    const auto base = name.substr(name.rfind('/') + 1);
    const auto near = nearest_name(base, known);
    const auto what = fmt::format("there is no configuration {} in {}", printable(name), fmt::join(folders_, ", "));
    const auto hint = !near.empty()    ? fmt::format("is {} meant?", printable(near))
                      : !known.empty() ? fmt::format("there are {}", fmt::join(known, ", "))
                                       : std::string("check the name and the folders");
    fail(ErrorKind::usage, "config", where != nullptr ? fmt::format("{}: {}", where->where(), what) : what, hint);
  }

  // `folder` is where plain names in the defaults lie: in the configuration folders, or on the disk.
  ValuePtr file(const std::string& path, const std::string& folder, bool in_folders, std::size_t depth) {
    STRATA_CHECK(
        depth < kDeepestInclude && files_.size() < kMostFiles, usage, "config",
        fmt::format("{} is one file too many: at most {}, {} deep", printable(path, 400), kMostFiles, kDeepestInclude),
        "do two files stand in each other's defaults?");
    STRATA_CHECK(std::ranges::find(open_, path) == open_.end(), usage, "config",
                 fmt::format("{} stands in its own defaults", printable(path, 400)),
                 fmt::format("the way was {}", fmt::join(open_, " -> ")));
    open_.push_back(path);
    files_.push_back(path);
    const Node content = Node::load(path);
    if (!content.is_null() && !content.is_map()) content.complain("is no map of keys");
    const auto defaults = content.find("defaults");
    const ValuePtr own = without_defaults(content);
    ValuePtr result = own;
    if (defaults) result = with_defaults(*defaults, own, folder, in_folders, depth);
    open_.pop_back();
    return result;
  }

  static ValuePtr without_defaults(const Node& content) {
    auto own = std::make_shared<NodeValue>(*content.value());
    own->kind = Kind::map;
    std::erase_if(own->entries, [](const auto& entry) { return entry.first == "defaults"; });
    return own;
  }

  ValuePtr with_defaults(const Node& defaults, const ValuePtr& own, const std::string& folder, bool in_folders,
                         std::size_t depth) {
    if (!defaults.is_list() && !defaults.is_null()) defaults.complain("is no list", "write - name or - group: name");
    for (const Node& entry : defaults.items()) note_override(entry);
    ValuePtr result;
    bool self = false;
    for (const Node& entry : defaults.items()) {
      if (entry.is_scalar() && entry.text() == "_self_") {
        if (std::exchange(self, true)) entry.complain("stands twice");
        result = merged(result, own);
      } else if (const ValuePtr value = default_of(entry, folder, in_folders, depth)) {
        result = merged(result, value);
      }
    }
    return self ? result : merged(result, own);
  }

  void note_override(const Node& entry) {
    if (!entry.is_map()) return;
    for (const auto& [key, value] : entry.entries())
      if (key.starts_with("override "))
        choose(target_of(entry, std::string_view(key).substr(9)), value.value(), value.where());
  }

  ValuePtr default_of(const Node& entry, const std::string& folder, bool in_folders, std::size_t depth) {
    if (entry.is_scalar()) {
      const std::string& name = entry.text();
      if (!is_name(name)) entry.complain(fmt::format("is {}, which is no name", printable(name)));
      if (!in_folders)
        if (const auto path = fs::path(folder) / (name + ".yaml"); is_file(path))
          return file(path.string(), path.parent_path().string(), false, depth + 1);
      const bool rooted = !in_folders || folder.empty() || name.find('/') != std::string::npos;
      const std::string full = rooted ? name : folder + '/' + name;
      return named(full, full.substr(0, full.find('/') == std::string::npos ? 0 : full.rfind('/')), depth + 1, &entry);
    }
    if (!entry.is_map() || entry.size() != 1) entry.complain("is neither a name nor one pair group: name");
    const auto [key, value] = entry.entries().front();
    if (key.starts_with("override ")) return nullptr;
    const Target target = target_of(entry, key);
    const auto choice = choices_.find(target);
    if (choice == choices_.end()) return chosen(target, *value.value(), depth + 1, &value);
    choice->second.used = true;
    return chosen(target, *choice->second.value, depth + 1);
  }

  // One name, several, or none.
  ValuePtr chosen(const Target& target, const NodeValue& value, std::size_t depth, const Node* where = nullptr) {
    const Node node(std::make_shared<const NodeValue>(value), target.group);
    if (node.is_null()) return nullptr;
    if (node.is_map()) node.complain("is a map, not the name of a choice");
    ValuePtr result;
    for (const auto& name :
         node.is_scalar() ? std::vector{node.as<std::string>()} : node.as<std::vector<std::string>>()) {
      if (!is_name(name)) node.complain(fmt::format("is {}, which is no name", printable(name)));
      made_.emplace_back(target.group, name);
      const std::string full = target.group + '/' + name;
      result = merged(result, named(full, full.substr(0, full.rfind('/')), depth, where != nullptr ? where : &node));
    }
    return result ? placed(target.key, result) : nullptr;
  }

  [[noreturn]] static void not_met(const Target& target, const Choice& choice) {
    fail(ErrorKind::usage, "config",
         fmt::format("{}: override {} has nothing to override", choice.where, printable(target.group)),
         "the files that this one builds on make no such choice: leave 'override' out");
  }

  std::vector<std::string> folders_, files_, open_;
  std::vector<std::pair<std::string, std::string>> made_;
  std::map<Target, Choice> choices_;
};

}  // namespace

std::vector<std::string> choices_of(std::span<const std::string> folders, const std::string& group) {
  return is_name(group) ? Composer(folders).names(group) : std::vector<std::string>();
}

Composed compose(std::span<const std::string> folders, const std::string& name,
                 std::span<const std::string> overrides) {
  Composer composer(folders);
  std::vector<std::string> values;
  for (auto text = overrides.rbegin(); text != overrides.rend(); ++text) {  // the last choice of a group wins
    const Override change = parse_override(*text);
    const std::string group = change.path.substr(0, change.path.find('@'));
    const bool is_choice = change.value && change.value->kind != Kind::map && composer.is_group(group);
    if (is_choice) {
      composer.choose(target_of(Node(change.value, change.path), change.path), change.value, "command line");
    } else {
      values.push_back(*text);
    }
  }
  Composed result = composer.take(composer.with_unused(composer.primary(name)));
  for (auto text = values.rbegin(); text != values.rend(); ++text) result.config = apply_override(result.config, *text);
  return result;
}

}  // namespace strata::config
