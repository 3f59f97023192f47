// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/found_study.hpp"

#include <span>

#include "io/ingest/lists.hpp"
#include "strata/base/error.hpp"

namespace strata::ingest {

std::string to_text(const FoundStudy& study) {
  std::string text;
  append(text, study.id);
  const auto records = io::dicom::to_bytes(study.records);
  append(text, std::string_view(reinterpret_cast<const char*>(records.data()), records.size()));
  for (const auto& path : study.volumes) append(text, path);
  return text;
}

FoundStudy study_of(std::string_view text) {
  auto parts = items(text);
  STRATA_CHECK(parts.size() >= 2, internal, "ingest", "a study that another rank sent is incomplete");
  FoundStudy study;
  study.id = std::move(parts[0]);
  study.records = io::dicom::records_of(std::as_bytes(std::span(parts[1])));
  study.volumes.assign(std::make_move_iterator(parts.begin() + 2), std::make_move_iterator(parts.end()));
  return study;
}

}  // namespace strata::ingest
