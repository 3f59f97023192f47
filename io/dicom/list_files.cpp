// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "io/dicom/dicom.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io::dicom {
namespace {

namespace fs = std::filesystem;

struct Walk {
  std::vector<std::string> files;
  std::vector<std::string> folders;           // still to enter
  std::set<std::pair<dev_t, ino_t>> entered;  // by identity: a loop of links comes back under other names
  std::vector<std::string>* unreadable = nullptr;

  void visit(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return;  // a dangling link, or removed meanwhile
    if (S_ISREG(found.st_mode)) files.push_back(path);
    if (S_ISDIR(found.st_mode) && entered.emplace(found.st_dev, found.st_ino).second) folders.push_back(path);
  }

  void enter(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error))
      names.push_back(entry->path().string());
    if (error && unreadable) unreadable->push_back(folder);
    std::ranges::sort(names);  // of two names of one folder the first counts, on every file system
    for (const std::string& name : names) visit(name);
  }
};

}  // namespace

std::vector<std::string> list_files(const std::string& root, std::vector<std::string>* unreadable) {
  std::error_code error;
  STRATA_CHECK(fs::exists(root, error), data, "dicom", "there is no file or folder " + printable(root, 400),
               "give the folder that holds the studies");
  Walk walk;
  walk.unreadable = unreadable;
  walk.visit(root);
  while (!walk.folders.empty()) {
    const std::string folder = std::move(walk.folders.back());
    walk.folders.pop_back();
    walk.enter(folder);
  }
  std::ranges::sort(walk.files);
  return std::move(walk.files);
}

}  // namespace strata::io::dicom
