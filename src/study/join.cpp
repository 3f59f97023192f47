// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "strata/study/records.hpp"

namespace strata::study {
namespace {

using Index = std::unordered_map<std::string_view, std::vector<std::int64_t>>;

template <class Get>
Index index_by(std::span<const StudyIds> studies, Get get) {
  Index index;
  for (std::size_t i = 0; i < studies.size(); ++i)
    if (const std::string_view key = get(studies[i]); !key.empty()) index[key].push_back(static_cast<std::int64_t>(i));
  return index;
}

bool same_values(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(a, b, [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

bool same_content(const Record& a, const Record& b) {
  return a.report == b.report && same_values(a.labels, b.labels) && a.fold == b.fold && a.split == b.split;
}

bool one_patient(std::span<const StudyIds> studies, const std::vector<std::int64_t>& which) {
  const auto& first = studies[static_cast<std::size_t>(which.front())].patient_id;
  if (which.size() == 1) return true;
  return !first.empty() && std::ranges::all_of(which, [&](std::int64_t i) {
    return studies[static_cast<std::size_t>(i)].patient_id == first;
  });
}

class Joiner {
 public:
  Joiner(const Records& records, std::span<const StudyIds> studies)
      : records_(records.all()),
        studies_(studies),
        by_uid_(index_by(studies, [](const StudyIds& s) { return std::string_view(s.study_uid); })),
        by_accession_(index_by(studies, [](const StudyIds& s) { return std::string_view(s.accession_number); })) {
    join_.record_of.assign(studies.size(), -1);
  }

  // UIDs first: a row that names its study exactly comes before one that names an order.
  Join run() {
    std::vector<bool> done(records_.size(), false);
    for (std::size_t i = 0; i < records_.size(); ++i) done[i] = place(i, by_uid_, records_[i].study_uid);
    for (std::size_t i = 0; i < records_.size(); ++i)
      if (!done[i]) by_accession(i);
    for (std::size_t i = 0; i < studies_.size(); ++i) {
      if (join_.record_of[i] < 0) join_.studies_without_record.push_back(static_cast<std::int64_t>(i));
      check_patient(i);
    }
    std::ranges::sort(join_.repeated, {}, &Join::Repeated::record);
    return std::move(join_);
  }

 private:
  bool place(std::size_t record, const Index& index, std::string_view key) {
    const auto found = key.empty() ? index.end() : index.find(key);
    if (found == index.end()) return false;
    std::int64_t first = -1;
    bool placed = false;
    for (const std::int64_t study : found->second) {
      std::int64_t& at = join_.record_of[static_cast<std::size_t>(study)];
      if (at < 0) {
        at = static_cast<std::int64_t>(record);
        placed = true;
      } else {
        first = at;
      }
    }
    if (!placed)
      join_.repeated.push_back({static_cast<std::int64_t>(record), first,
                                same_content(records_[record], records_[static_cast<std::size_t>(first)])});
    return true;
  }

  void by_accession(std::size_t record) {
    const auto found = by_accession_.find(records_[record].accession);
    if (records_[record].accession.empty() || found == by_accession_.end()) {
      join_.records_without_study.push_back(static_cast<std::int64_t>(record));
    } else if (!one_patient(studies_, found->second)) {
      join_.ambiguous_records.push_back(static_cast<std::int64_t>(record));
    } else {
      place(record, by_accession_, records_[record].accession);
    }
  }

  void check_patient(std::size_t study) {
    if (join_.record_of[study] < 0) return;
    const auto& patient = records_[static_cast<std::size_t>(join_.record_of[study])].patient;
    const auto& header = studies_[study].patient_id;
    if (!patient.empty() && !header.empty() && patient != header)
      join_.studies_of_other_patient.push_back(static_cast<std::int64_t>(study));
  }

  const std::vector<Record>& records_;
  std::span<const StudyIds> studies_;
  Index by_uid_, by_accession_;
  Join join_;
};

}  // namespace

Join join(const Records& records, std::span<const StudyIds> studies) { return Joiner(records, studies).run(); }

std::string why_nothing_joined(const Records& records, std::span<const StudyIds> studies, const Join& join) {
  if (join.joined() > 0) return {};
  if (records.all().empty()) return fmt::format("{} has no rows", records.table());
  if (studies.empty()) return "there are no studies to join";
  const auto rows = [&](auto member) {
    return std::ranges::count_if(records.all(), [&](const Record& r) { return !(r.*member).empty(); });
  };
  const auto headers = [&](auto member) {
    return std::ranges::count_if(studies, [&](const StudyIds& s) { return !(s.*member).empty(); });
  };
  const auto uid_rows = rows(&Record::study_uid), uid_headers = headers(&StudyIds::study_uid);
  const auto rows_acc = rows(&Record::accession), headers_acc = headers(&StudyIds::accession_number);
  std::string text = fmt::format(
      "none of the {} rows of {} belongs to any of the {} studies: {} rows have a study UID ({} studies have one), {} "
      "an accession number ({} studies have one)",
      records.all().size(), records.table(), studies.size(), uid_rows, uid_headers, rows_acc, headers_acc);
  if (!join.ambiguous_records.empty())
    text +=
        fmt::format("; {} rows have an accession number that several patients share", join.ambiguous_records.size());
  return text;
}

}  // namespace strata::study
