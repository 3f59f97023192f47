// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/joined.hpp"

#include <fmt/format.h>

#include <limits>

#include "strata/base/error.hpp"

namespace strata::ingest {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

void report_rows(const study::Records& records, const study::Join& join, std::span<const FoundIds> studies,
                 Report& report) {
  const auto line = [&](std::int64_t record) { return records.all()[at(record)].line; };
  for (const auto record : join.records_without_study) report.row(line(record), "no_study");
  for (const auto record : join.ambiguous_records)
    report.row(line(record), "ambiguous", "its accession number stands for studies of several patients");
  for (const auto& again : join.repeated)
    report.row(line(again.record), "repeated",
               fmt::format("line {} counts, which says {}", line(again.first), again.same ? "the same" : "otherwise"));
  for (const auto study : join.studies_of_other_patient)
    report.note(studies[at(study)].key, "", "the table and the header name different patients");
}

// From records; those of studies without one stay as they are.
void take(const study::Records& records, const study::Join& join, std::vector<std::optional<Facts>>& facts) {
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (join.record_of[i] < 0) continue;
    const auto& record = records.all()[at(join.record_of[i])];
    *facts[i] = {.split = record.split, .fold = record.fold, .report = record.report, .labels = record.labels};
  }
}

void leave_out(std::span<const FoundIds> studies, const study::Join& join, std::vector<std::optional<Facts>>& facts,
               Report& report) {
  for (const auto i : join.studies_without_record) {
    facts[at(i)].reset();
    report.left_out_study(studies[at(i)].key, "no_row", "no row of the table is about it");
  }
}

// Patients by the header, and by the table where it names them.
std::vector<study::SplitStudy> split_studies(const Tables& tables, const study::Join* join,
                                             std::span<const FoundIds> studies, const io::IdentityKey& key,
                                             std::span<const std::optional<Facts>> facts) {
  std::vector<study::SplitStudy> all;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    study::SplitStudy one{.patients = {}, .given = facts[i] ? facts[i]->split : "", .where = {}};
    one.patients.push_back(studies[i].patient.empty() ? studies[i].key : studies[i].patient);
    if (join != nullptr && join->record_of[i] >= 0) {
      const auto& record = tables.records->all()[at(join->record_of[i])];
      if (!record.patient.empty()) one.patients.push_back(key.pseudonym(io::IdentityKind::patient, record.patient));
      one.where = tables.records->where(at(join->record_of[i]));
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::vector<std::optional<Facts>> joined_facts(const Tables& tables, std::span<const FoundIds> studies,
                                               const io::IdentityKey& key, Report& report) {
  std::vector<std::optional<Facts>> facts(studies.size(), Facts{});
  std::optional<study::Join> join;
  if (tables.records) {
    std::vector<study::StudyIds> ids;
    for (const auto& study : studies) ids.push_back(study.ids);
    join = study::join(*tables.records, ids);
    const std::string nothing = study::why_nothing_joined(*tables.records, ids, *join);
    STRATA_CHECK(nothing.empty(), data, "ingest", nothing);
    for (auto& one : facts)
      one->labels.assign(tables.records->label_names().size(), std::numeric_limits<float>::quiet_NaN());
    take(*tables.records, *join, facts);
    report_rows(*tables.records, *join, studies, report);
    if (tables.only_with_record) leave_out(studies, *join, facts, report);
  }
  const auto all = split_studies(tables, join ? &*join : nullptr, studies, key, facts);
  const auto splits = tables.shares ? study::split_by_patient(all, *tables.shares) : study::given_splits(all);
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (facts[i]) facts[i]->split = splits[i];
  return facts;
}

}  // namespace strata::ingest
