// SPDX-License-Identifier: Apache-2.0
#include "app/config_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> roots() {
  std::vector<fs::path> folders;
  if (const char* set = std::getenv("STRATA_CONFIGS"); set != nullptr && *set != 0) folders.emplace_back(set);
  folders.emplace_back("configs");
  std::error_code unknown;
  for (fs::path above = fs::read_symlink("/proc/self/exe", unknown).parent_path();
       !above.empty() && above != above.root_path(); above = above.parent_path())
    folders.push_back(above / "configs");
  return folders;
}

constexpr const char* kNoFolder = "set STRATA_CONFIGS to the folder configs of the sources";

}  // namespace

std::vector<std::string> config_folders() {
  std::vector<std::string> found;
  std::vector<fs::path> seen;
  std::error_code unknown;
  for (const auto& folder : roots()) {
    const fs::path whole = fs::canonical(folder, unknown);
    if (unknown || !fs::is_directory(whole, unknown) || std::ranges::find(seen, whole) != seen.end()) continue;
    seen.push_back(whole);
    found.push_back(folder.string());
  }
  STRATA_CHECK(!found.empty(), usage, "config", "there is no folder of configurations", kNoFolder);
  return found;
}

std::string config_file(const std::string& kind, const std::string& name) {
  std::error_code unknown;
  if (fs::is_regular_file(name, unknown)) return name;
  std::vector<std::string> known;
  for (const auto& root : roots()) {
    const fs::path folder = root / kind;
    if (const fs::path file = folder / (name + ".yaml"); fs::is_regular_file(file, unknown)) return file.string();
    for (const auto& entry : fs::directory_iterator(folder, unknown))
      if (entry.path().extension() == ".yaml") known.push_back(entry.path().stem().string());
  }
  std::ranges::sort(known);
  known.erase(std::ranges::unique(known).begin(), known.end());
  const auto near = nearest_name(name, known);
  fail(ErrorKind::usage, "config",
       fmt::format("there is neither a file {} nor one of this name in configs/{}", io::printable(name), kind),
       !near.empty()   ? fmt::format("did you mean '{}'?", near)
       : known.empty() ? std::string(kNoFolder)
                       : fmt::format("there are {}", fmt::join(known, ", ")));
}

}  // namespace strata::app
