// SPDX-License-Identifier: Apache-2.0
#include "app/study_sets.hpp"

#include <filesystem>
#include <sstream>

#include "strata/data/subset_source.hpp"

namespace strata::app {

const std::shared_ptr<const io::ShardSet>& StudySets::open(const std::string& path) {
  auto& set = sets_[path];
  if (!set) set = io::open_shards(path, {}, world_);
  return set;
}

std::vector<data::WeightedSet> StudySets::choose(const std::vector<SetSettings>& sets, bool reports) {
  std::vector<data::WeightedSet> chosen;
  for (const auto& settings : sets)
    chosen.push_back({data::select_studies(open(settings.path), {.splits = settings.splits,
                                                                 .folds = settings.folds,
                                                                 .without_folds = settings.without_folds,
                                                                 .with_report = reports}),
                      settings.weight});
  return chosen;
}

SetSettings parse_set(const std::string& text) {
  SetSettings set;
  std::error_code unknown;
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text, unknown)) {
    set.path = text;
    return set;
  }
  set.path = text.substr(0, colon);
  std::istringstream names(text.substr(colon + 1));
  for (std::string name; std::getline(names, name, ',');)
    if (!name.empty()) set.splits.push_back(name);
  return set;
}

}  // namespace strata::app
