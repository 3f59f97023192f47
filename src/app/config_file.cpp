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

std::vector<fs::path> folders_of(const std::string& kind) {
  std::vector<fs::path> folders;
  if (const char* set = std::getenv("STRATA_CONFIGS")) folders.push_back(fs::path(set) / kind);
  folders.push_back(fs::path("configs") / kind);
  std::error_code unknown;
  for (fs::path above = fs::read_symlink("/proc/self/exe", unknown).parent_path();
       !above.empty() && above != above.root_path(); above = above.parent_path())
    folders.push_back(above / "configs" / kind);
  return folders;
}

}  // namespace

std::string config_file(const std::string& kind, const std::string& name) {
  std::error_code unknown;
  if (fs::is_regular_file(name, unknown)) return name;
  std::vector<std::string> known;
  for (const auto& folder : folders_of(kind)) {
    if (const fs::path file = folder / (name + ".yaml"); fs::is_regular_file(file, unknown)) return file.string();
    for (const auto& entry : fs::directory_iterator(folder, unknown))
      if (entry.path().extension() == ".yaml") known.push_back(entry.path().stem().string());
  }
  std::ranges::sort(known);
  known.erase(std::ranges::unique(known).begin(), known.end());
  const auto near = nearest_name(name, known);
  fail(ErrorKind::usage, "config",
       fmt::format("there is neither a file {} nor a {} configuration of this name", io::printable(name), kind),
       !near.empty()   ? fmt::format("did you mean '{}'?", near)
       : known.empty() ? "set STRATA_CONFIGS to the folder configs of the sources"
                       : fmt::format("there are {}", fmt::join(known, ", ")));
}

}  // namespace strata::app
