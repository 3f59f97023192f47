// SPDX-License-Identifier: Apache-2.0
//
// The files under some folders, found by all ranks together: round by round each rank lists its share of the folders
// that the round before found, so a tree of a million folders is not listed by one. Links to files and folders are
// followed, a folder is entered once however many ways lead to it; devices, sockets and pipes are left alone.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::ingest {

struct UnreadableFolder {
  std::string path, why;
};

struct Tree {
  std::vector<std::string> files;            // this rank's share, balanced by number
  std::vector<UnreadableFolder> unreadable;  // folders that this rank could not list
  std::int64_t all_files = 0;                // over all ranks
};

// Collective. A root may be a file. One that does not exist: data error on every rank.
Tree find_files(comm::Communicator& group, std::span<const std::string> roots);

}  // namespace strata::ingest
