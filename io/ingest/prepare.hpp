// SPDX-License-Identifier: Apache-2.0
//
// One study from its headers to what a shard keeps. Planning looks at headers alone and says what will be read;
// preparing reads voxels and brings them to the profile's grid. Both are pure functions of the study and the options,
// so any rank may do either, and a later run does the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/dicom/dicom.hpp"
#include "io/identity/identity.hpp"
#include "io/ingest/found_study.hpp"
#include "io/ingest/report.hpp"
#include "io/ingest/shard_plan.hpp"
#include "strata/study/profile.hpp"
#include "strata/study/records.hpp"
#include "strata/study/selection.hpp"

namespace strata::ingest {

// What a study's row of the table says, and where it goes.
struct Facts {
  std::string split;  // "train", ..., or empty
  std::int64_t fold = -1;
  std::vector<std::string> report;
  std::vector<float> labels;
};

class Preparer {
 public:
  Preparer(study::Profile profile, io::dicom::PlanOptions options, study::Selection selection, io::IdentityKey key);

  const study::StoredGrid& grid() const { return grid_; }

  struct Plan {
    PlannedStudy study;  // owner is left to the caller
    study::StudyIds ids;
  };
  // Nothing: no scan of it is wanted. What is left out goes to the report.
  std::optional<Plan> plan(const FoundStudy& found, Report& report) const;
  // Nothing: no scan could be read. Only what planning could not see goes to the report.
  std::optional<study::StoredStudy> prepare(const FoundStudy& found, const Facts& facts, std::int64_t shard,
                                            Report& report) const;
  // Of the identifier of a patient, study, ...; empty for none.
  std::string pseudonym(io::IdentityKind kind, const std::string& identifier) const;

 private:
  struct Source;  // of one volume: a stack of slices, or a file
  std::vector<Source> sources(const FoundStudy& found, Report& report) const;
  void read(const Source& source, const std::string& key, std::int64_t shard, study::StoredStudy& study,
            Report& report) const;
  void store(const study::StackedVolume& volume, const study::ScanTags& tags, std::int64_t shard,
             study::StoredStudy& study, Report& report) const;

  study::Profile profile_;
  study::StoredGrid grid_;
  std::int64_t scans_a_volume_;
  io::dicom::PlanOptions options_;
  study::Selection selection_;
  io::IdentityKey key_;
};

}  // namespace strata::ingest
