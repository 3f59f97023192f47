// SPDX-License-Identifier: Apache-2.0
//
// What lets a killed ingest go on where it was: a fingerprint of the plan in the set's folder (other sources, another
// profile or key cannot be mixed in), and each shard's report written before the shard itself appears. Used by rank 0
// alone. Folder layout of the private side: pseudonym.key, parts/ while an ingest runs, report.jsonl when it is done.
#pragma once

#include <string>
#include <string_view>

#include "io/ingest/report.hpp"

namespace strata::ingest {

class Journal {
 public:
  // Makes both folders where they are missing; the private one readable by its owner alone.
  Journal(std::string set_folder, std::string private_folder);

  // The first time writes the fingerprint; later another one is a usage error.
  void agree(std::string_view fingerprint);

  // Reports of the parts of an ingest: headers by rank ("headers-3"), shards by number ("shard-12").
  void write_part(std::string_view name, std::string_view lines);
  bool has_part(std::string_view name) const;
  std::string read_part(std::string_view name) const;
  void remove_header_parts();  // of an earlier start

  // All parts as report.jsonl, whole or not at all, and what they add up to.
  Tally close();
  void remove_parts();  // once the set is finished
  // Of the finished report.
  Tally read_report() const;

  std::string report_path() const;

 private:
  std::string part_path(std::string_view name) const;

  std::string set_, private_;
};

}  // namespace strata::ingest
