// SPDX-License-Identifier: Apache-2.0
//
// Files to studies, on all ranks together: each rank reads the headers of its files, then every study's headers go to
// one rank. No rank ever holds more than its share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/ingest/found_study.hpp"
#include "io/ingest/report.hpp"
#include "io/ingest/tree.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::ingest {

struct Index {
  std::vector<std::string> studies;  // this rank's, as found_study.hpp's texts, by ascending id
};

// Collective. Files that belong to no study are reported, and those whose path matches a pattern of `exclude` (as a
// shell's, '*' matches '/' too). `progress` is told how many of this rank's files are read.
Index index_files(comm::Communicator& group, const Tree& tree, std::span<const std::string> roots,
                  std::span<const std::string> exclude, Report& report,
                  const std::function<void(std::int64_t files)>& progress);

}  // namespace strata::ingest
