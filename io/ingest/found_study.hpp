// SPDX-License-Identifier: Apache-2.0
//
// What the files of one study say before a voxel is read: DICOM headers, or the paths of volume files that lie in one
// folder. Identifying, so never written; ranks exchange it as bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/dicom/record.hpp"

namespace strata::ingest {

struct FoundStudy {
  std::string id;                              // study instance UID; the folder (below its root) of volume files
  std::vector<io::dicom::FileRecord> records;  // in no order
  std::vector<std::string> volumes;            // NIfTI and .npy files, sorted
};

std::string to_text(const FoundStudy& study);
FoundStudy study_of(std::string_view text);

}  // namespace strata::ingest
