// SPDX-License-Identifier: Apache-2.0
//
// Which scans of a hospital's archive are wanted: by modality, by number of slices, and by a table of Study Description
// × kVp × Convolution Kernel, as HeadCT-Foundation publishes its own. Judged on header fields alone, before a pixel is
// decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "strata/study/scan.hpp"
#include "strata/study/table.hpp"

namespace strata::study {

// Rows of wanted combinations. Texts are compared without case and blanks, kVp as numbers, kernels of several values
// in any of the spellings "Hr40s\3" (DICOM) and "['Hr40s', '3']" (Python). An empty cell sets no condition; a tag that
// is absent fulfils none.
class SeriesTable {
 public:
  // Columns "Study Description", "kVp", "Convolution Kernel" in any spelling of case and blanks; those that the table
  // lacks set no condition. None of them, no row, or a kVp that is no number: data error.
  explicit SeriesTable(const Table& table);

  bool contains(const ScanTags& tags) const;
  std::size_t size() const { return rows_; }

 private:
  struct Condition {
    std::optional<double> kvp;
    std::string kernel;
  };
  using Conditions = std::vector<Condition>;

  static bool fulfils(const Conditions& conditions, const ScanTags& tags, const std::string& kernel);

  std::unordered_map<std::string, Conditions> by_description_;
  Conditions any_description_;
  std::size_t rows_ = 0;
};

struct Selection {
  std::vector<std::string> modalities;  // none: all
  std::int64_t least_slices = 1;
  std::optional<SeriesTable> series;
};

enum class Unwanted { no, modality, too_few_slices, not_in_series_table };

std::string_view name_of(Unwanted reason);

// Why a scan is not wanted; the first reason in the order of the enum.
Unwanted judge(const Selection& selection, const ScanTags& tags, std::int64_t slices);

}  // namespace strata::study
