// SPDX-License-Identifier: Apache-2.0
//
// A view of some studies of a source, in their order: a split, some folds, those with a report. It is a source itself,
// so a mixture may take a training and an additional set out of one folder. Costs eight bytes a study; voxels are read
// by the source behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "strata/data/study_source.hpp"

namespace strata::data {

// Empty lists choose all. A study must satisfy every line.
struct StudySelection {
  std::vector<std::string> splits{};
  std::vector<std::int64_t> folds{}, without_folds{};
  bool with_report = false;  // at least one sentence
  std::int64_t min_scans = 1;

  std::string str() const;  // "split train, without fold 0, with report"
};

// No study left, or a split that no study has: data error that says what the source holds.
std::shared_ptr<const StudySource> select_studies(std::shared_ptr<const StudySource> source,
                                                  const StudySelection& selection);

}  // namespace strata::data
