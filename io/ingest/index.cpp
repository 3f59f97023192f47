// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/index.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "io/dicom/dicom.hpp"
#include "io/ingest/lists.hpp"
#include "io/nifti/nifti.hpp"
#include "strata/comm/bytes.hpp"

namespace strata::ingest {
namespace {

using Studies = std::map<std::string, FoundStudy>;

bool is_volume_file(const std::string& path) {
  return path.ends_with(".npy") || path.ends_with(".nii") || path.ends_with(".nii.gz");
}

bool matches_any(const std::string& path, std::span<const std::string> patterns) {
  return std::ranges::any_of(patterns, [&](const auto& p) { return fnmatch(p.c_str(), path.c_str(), 0) == 0; });
}

// The folder below its root, so that the same tree elsewhere gives the same studies.
std::string folder_id(const std::string& path, std::span<const std::string> roots) {
  const std::string folder = path.substr(0, path.find_last_of('/'));
  std::size_t cut = 0;
  for (const auto& root : roots) {
    const std::string prefix = root.ends_with('/') ? root : root + "/";
    if ((folder + "/").starts_with(prefix)) cut = std::max(cut, prefix.size());
  }
  return cut > folder.size() ? "." : folder.substr(cut);
}

void add_dicom(const std::string& path, Studies& studies, Report& report) {
  io::dicom::FileRecord record = io::dicom::read_header(path);
  const std::string id = record.tags.study_uid;
  if (id.empty() && !record.is_image())
    report.file(path, io::dicom::name_of(record.reason), record.detail);
  else if (id.empty())
    report.file(path, "no_study", "the header names no study instance UID");
  else
    studies[id].records.push_back(std::move(record));
}

// Each study goes to the rank that its id falls to.
std::size_t rank_of(const std::string& id, int ranks) {
  std::uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return static_cast<std::size_t>((hash >> 16) % static_cast<std::uint64_t>(ranks));
}

Studies bring_together(comm::Communicator& group, Studies mine) {
  std::vector<std::string> lists(static_cast<std::size_t>(group.size()));
  for (auto& [id, study] : mine) {
    study.id = id;
    append(lists[rank_of(id, group.size())], to_text(study));
    study = {};
  }
  mine.clear();
  Studies all;
  for (const auto& list : comm::exchange_texts(group, lists))
    each_item(list, [&](std::string_view text) {
      FoundStudy part = study_of(text);
      FoundStudy& whole = all[part.id];
      std::ranges::move(part.records, std::back_inserter(whole.records));
      std::ranges::move(part.volumes, std::back_inserter(whole.volumes));
      whole.id = part.id;
    });
  return all;
}

}  // namespace

Index index_files(comm::Communicator& group, const Tree& tree, std::span<const std::string> roots,
                  std::span<const std::string> exclude, Report& report,
                  const std::function<void(std::int64_t files)>& progress) {
  io::dicom::register_codecs();
  Studies mine;
  std::int64_t done = 0;
  for (const auto& path : tree.files) {
    if (matches_any(path, exclude))
      report.file(path, "excluded", {});
    else if (is_volume_file(path))
      mine[folder_id(path, roots)].volumes.push_back(path);
    else
      add_dicom(path, mine, report);
    progress(++done);
  }
  for (const auto& folder : tree.unreadable) report.file(folder.path, "unreadable_folder", folder.why);
  Index index;
  for (auto& [id, study] : bring_together(group, std::move(mine))) {
    // Which rank read a file must not show.
    std::ranges::sort(study.records, {}, &io::dicom::FileRecord::path);
    std::ranges::sort(study.volumes);
    index.studies.push_back(to_text(study));
  }
  return index;
}

}  // namespace strata::ingest
