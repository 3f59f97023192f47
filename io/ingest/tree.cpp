// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/tree.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

#include "io/ingest/lists.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/io/text.hpp"

namespace strata::ingest {
namespace {

struct Identity {
  std::uint64_t device = 0, inode = 0;
  auto operator<=>(const Identity&) const = default;
};

struct Folder {
  std::string path;
  Identity identity{};
  auto operator<=>(const Folder&) const = default;
};

void append(std::string& list, const Folder& folder) {
  std::string item(reinterpret_cast<const char*>(&folder.identity), sizeof folder.identity);
  ingest::append(list, item + folder.path);
}

Folder folder_of(std::string_view item) {
  Folder folder;
  std::memcpy(&folder.identity, item.data(), sizeof folder.identity);
  folder.path = item.substr(sizeof folder.identity);
  return folder;
}

// What lies in one folder. Entries that vanish meanwhile are nobody's loss.
void list(const std::string& path, Tree& tree, std::string& folders) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), &closedir);
  if (!directory) {
    tree.unreadable.push_back({path, std::strerror(errno)});
    return;
  }
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    std::string full = path + (path.ends_with('/') ? "" : "/") + std::string(name);
    if (entry->d_type == DT_REG) {
      tree.files.push_back(std::move(full));
      continue;
    }
    struct stat status {};
    if (stat(full.c_str(), &status) != 0) continue;
    if (S_ISREG(status.st_mode)) tree.files.push_back(std::move(full));
    if (S_ISDIR(status.st_mode)) append(folders, Folder{std::move(full), {status.st_dev, status.st_ino}});
  }
}

std::vector<Folder> enter_roots(comm::Communicator& group, std::span<const std::string> roots, Tree& tree) {
  std::vector<Folder> folders;
  for (const auto& root : roots) {
    struct stat status {};
    STRATA_CHECK(stat(root.c_str(), &status) == 0, data, "ingest",
                 fmt::format("{} cannot be opened: {}", io::printable(root, 400), std::strerror(errno)),
                 "is it mounted on every node?");
    if (S_ISDIR(status.st_mode)) folders.push_back({root, {status.st_dev, status.st_ino}});
    if (S_ISREG(status.st_mode) && group.rank() == 0) tree.files.push_back(root);
  }
  return folders;
}

// The folders that all ranks found and none entered before, in an order that no number of ranks changes.
std::vector<Folder> gather_new(comm::Communicator& group, const std::string& mine, std::set<Identity>& entered) {
  std::vector<Folder> found, fresh;
  for (const auto& list : comm::gather_texts(group, mine))
    each_item(list, [&](std::string_view item) { found.push_back(folder_of(item)); });
  std::ranges::sort(found);
  for (auto& folder : found)
    if (entered.insert(folder.identity).second) fresh.push_back(std::move(folder));
  return fresh;
}

// Evens out how many files each rank has.
void balance(comm::Communicator& group, Tree& tree) {
  const auto ranks = static_cast<std::size_t>(group.size());
  std::int64_t before = 0;
  const auto counts = comm::gather_texts(group, std::to_string(tree.files.size()));
  for (std::size_t r = 0; r < ranks; ++r) {
    const std::int64_t count = std::stoll(counts[r]);
    tree.all_files += count;
    if (r < static_cast<std::size_t>(group.rank())) before += count;
  }
  std::vector<std::string> lists(ranks);
  for (const auto& file : tree.files) ingest::append(lists[static_cast<std::size_t>(before++ % group.size())], file);
  tree.files.clear();
  for (const auto& list : comm::exchange_texts(group, lists))
    each_item(list, [&](std::string_view item) { tree.files.emplace_back(item); });
  std::ranges::sort(tree.files);
}

}  // namespace

Tree find_files(comm::Communicator& group, std::span<const std::string> roots) {
  Tree tree;
  std::set<Identity> entered;
  std::vector<Folder> frontier = enter_roots(group, roots, tree);
  std::erase_if(frontier, [&](const Folder& folder) { return !entered.insert(folder.identity).second; });
  while (!frontier.empty()) {
    std::string below;
    for (std::size_t i = static_cast<std::size_t>(group.rank()); i < frontier.size();
         i += static_cast<std::size_t>(group.size()))
      list(frontier[i].path, tree, below);
    frontier = gather_new(group, below, entered);
  }
  balance(group, tree);
  return tree;
}

}  // namespace strata::ingest
