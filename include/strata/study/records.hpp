// SPDX-License-Identifier: Apache-2.0
//
// What a hospital knows of a study beside its images: report, labels, fold, split; and how such rows find their study.
// Rows are taken one at a time, so a table of any length costs the memory of what is kept. Identifiers in here are the
// real ones: they serve joining and never leave ingest. Messages and lists name rows by line and studies by index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/study/table.hpp"

namespace strata::study {

// Which column means what. Empty: looked for under its usual names (study_uid: "StudyInstanceUID", "study_uid", ...;
// accession: "AccessionNumber", "accession", ...), any spelling of case, blanks, '_' and '-'.
struct RecordColumns {
  std::string study_uid, accession, patient, fold, split;
  std::vector<std::string> report;  // several columns (findings, impression) are read one after the other
  std::vector<std::string> labels;  // {"*"}: every column that means nothing else and holds numbers alone
};

struct Record {
  std::int64_t line = 0;
  std::string study_uid, accession, patient;  // trimmed; empty where the table has none
  std::vector<std::string> report;            // sentences
  std::vector<float> labels;                  // by label_names(); NaN: not known
  std::int64_t fold = -1;                     // -1: none
  std::string split;                          // "train", "val", "test" or empty
};

// The rows of one table. A cell that is not what its column should hold is a data error with line and column.
class Records {
 public:
  Records(std::string table, RecordColumns wanted);

  // In the order of the file; `columns` may only grow from call to call (JSON Lines).
  void add(const std::vector<std::string>& columns, Row row);
  // After the last row. No column that identifies a study, or a wanted one that never came: data error.
  void finish();

  const std::string& table() const { return table_; }
  const std::vector<std::string>& label_names() const { return label_names_; }
  const std::vector<Record>& all() const { return records_; }
  const std::vector<std::string>& ignored_columns() const { return ignored_; }  // with labels {"*"}: not numeric
  std::string where(std::size_t record) const;                                  // "reports.csv:12"

 private:
  enum class Role : std::uint8_t { undecided, none, study_uid, accession, patient, report, fold, split, label };
  struct Column {
    Role role = Role::undecided;
    std::size_t index = 0;  // among the label or the report columns
  };

  void decide(const std::vector<std::string>& columns);
  Column meaning(const std::vector<std::string>& columns, std::size_t column);
  Column all_labels(const std::string& column);
  void take(Record& record, std::vector<Cell>& reports, Cell& cell, std::size_t column);
  void take_label(Record& record, const Cell& cell, std::size_t column);
  std::string identifier(const Cell& cell, std::size_t column, std::int64_t line) const;
  [[noreturn]] void bad_cell(std::int64_t line, std::size_t column, std::string_view what,
                             std::string_view hint = {}) const;
  void drop_ignored_labels();

  std::string table_;
  RecordColumns wanted_;
  std::vector<std::string> columns_;
  std::vector<Column> meanings_;
  std::vector<std::string> label_names_;
  std::vector<bool> not_numeric_;  // by label; with labels {"*"} alone
  std::vector<std::string> ignored_;
  std::vector<Record> records_;
  bool all_labels_ = false, finished_ = false;
};

// A report's text as sentences. A sentence ends behind . ! or ? (and closing quotes or brackets) before a blank and
// something that does not begin with a small letter, but not behind a single letter, an abbreviation (Dr. vs. e.g.) or
// a number that begins a line. A line break ends one too, unless the next line begins with a small letter or the line
// is a full one (60 bytes and more) that was wrapped. A heading ("Impression:") stays with what follows. Blanks are
// folded; bullets at the beginning of lines go. ASCII rules; other letters pass through.
std::vector<std::string> sentences(std::string_view report);

// As a study's headers identify it.
struct StudyIds {
  std::string study_uid, accession_number, patient_id;
};

// Rows and studies that belong together: by study UID, else by accession number. Rows of one study: the first counts.
struct Join {
  std::vector<std::int64_t> record_of;  // [studies] index of its record, -1: none

  std::vector<std::int64_t> studies_without_record;
  std::vector<std::int64_t> records_without_study;
  struct Repeated {
    std::int64_t record = 0, first = 0;  // the row left out, and the one that counts
    bool same = false;                   // they say the same
  };
  std::vector<Repeated> repeated;
  // An accession number that stands for studies of several patients says nothing: such rows join no study.
  std::vector<std::int64_t> ambiguous_records;
  std::vector<std::int64_t> studies_of_other_patient;  // joined, but row and header name different patients

  std::int64_t joined() const { return static_cast<std::int64_t>(record_of.size() - studies_without_record.size()); }
};

Join join(const Records& records, std::span<const StudyIds> studies);

// Why a join found nothing, as a sentence for a person; empty if it found something.
std::string why_nothing_joined(const Records& records, std::span<const StudyIds> studies, const Join& join);

// Shares of patients, and what the drawing is keyed by.
struct SplitShares {
  double train = 0.8, val = 0.1, test = 0.1;  // sum 1
  std::uint64_t seed = 0;
};

// The split of one patient: a function of the key and the seed alone, so that new patients move nobody. Give
// pseudonyms: the split then says nothing of the real identifier. Shares are met on average.
std::string_view split_of(std::string_view patient, const SplitShares& shares);

struct SplitStudy {
  std::vector<std::string> patients;  // keys of its patient (header's, table's): studies that share one are together
  std::string given;                  // "train", "val", "test", or empty: to be drawn
  std::string where;                  // for the error: "labels.csv:12"
};

// A split for every study, one for each patient: the given one for all studies of the patient, else split_of() of the
// smallest key. Different given splits within a patient: one data error that lists the rows. Studies without any key:
// usage error.
std::vector<std::string> split_by_patient(std::span<const SplitStudy> studies, const SplitShares& shares);

// The same without drawing: patients for whom no row gives a split have none.
std::vector<std::string> given_splits(std::span<const SplitStudy> studies);

}  // namespace strata::study
