// SPDX-License-Identifier: Apache-2.0
//
// The report of an ingest as JSON Lines: one line for everything that was kept or left out, with its reason. It names
// studies and series by pseudonym, files by path and rows of tables by number, and repeats nothing else of a header.
// Paths may say more than headers do, so the report lies with the key, not in the set. Lines:
//   {"kind": "file", "path": ..., "reason": "not_dicom", "detail": ..., "images": 1}           left out
//   {"kind": "image", "path": ..., "study": ..., "series": ..., "reason": ..., "detail": ..., "images": 1}
//   {"kind": "scan", "study": ..., "series": ..., "shard": 0, "slices": 28, "missing": 0, "stored": 1}   kept
//   {"kind": "study", "study": ..., "shard": 0, "scans": 3}                                     kept
//   {"kind": "study", "study": ..., "reason": "no_scans"}                                       left out
//   {"kind": "row", "line": 17, "reason": "no_study"}                                           of the table of reports
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace strata::ingest {

struct ScanLine {
  std::string study, series;
  std::int64_t shard = 0, slices = 0, missing = 0, stored = 0;
  bool straightened = false, regridded = false;
};

class Report {
 public:
  void file(std::string_view path, std::string_view reason, std::string_view detail);
  void image(std::string_view path, std::string_view study, std::string_view series, std::string_view reason,
             std::string_view detail, std::int64_t images);
  void scan(const ScanLine& line);
  void kept_study(std::string_view study, std::int64_t shard, std::int64_t scans);
  void left_out_study(std::string_view study, std::string_view reason, std::string_view detail = {});
  void row(std::int64_t line, std::string_view reason, std::string_view detail = {});  // of the table
  void note(std::string_view study, std::string_view series, std::string_view text);

  const std::string& lines() const { return lines_; }

 private:
  template <class Json>
  void add(const Json& line);
  std::string lines_;
};

// What a report adds up to.
struct Tally {
  std::int64_t studies = 0, scans = 0, stored = 0, slices = 0, missing = 0;  // kept
  std::set<std::string> series;                                              // kept, by pseudonym
  std::map<std::string, std::int64_t> files, images, studies_out, rows;      // left out, by reason

  void add_line(std::string_view line);  // what is no line of a report: data error
};

}  // namespace strata::ingest
