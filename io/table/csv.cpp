// SPDX-License-Identifier: Apache-2.0
#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "io/table/formats.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::io {
namespace {

constexpr std::string_view kSeparators = ",;\t";

char separator_of(std::string_view header) {
  std::array<std::size_t, kSeparators.size()> counts{};
  bool quoted = false;
  for (const char c : header) {
    if (c == '"') quoted = !quoted;
    const auto at = kSeparators.find(c);
    if (!quoted && at != std::string_view::npos) ++counts[at];
  }
  return kSeparators[static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin())];
}

int is_blank(unsigned char c) { return c == ' ' ? 1 : 0; }  // a tab may separate

// libcsv's parser. Its callbacks only collect: nothing may be thrown through C.
class Parser {
 public:
  Parser(char separator, std::size_t most_fields) : most_fields_(most_fields) {
    STRATA_CHECK(csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) == 0, environment, "table", "libcsv does not start");
    csv_set_delim(&parser_, static_cast<unsigned char>(separator));
    csv_set_space_func(&parser_, is_blank);
    csv_set_blk_size(&parser_, std::size_t{1} << 16);
  }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  bool feed(std::string_view text) {
    return csv_parse(&parser_, text.data(), text.size(), on_field, on_row, this) == text.size() && usable();
  }
  bool finish() { return csv_fini(&parser_, on_field, on_row, this) == 0 && usable(); }

  bool row_done() const { return row_done_; }
  std::size_t fields() const { return fields_.size(); }
  std::vector<std::string> take() {
    row_done_ = false;
    return std::exchange(fields_, {});
  }

 private:
  static void on_field(void* text, size_t size, void* self) {
    auto& parser = *static_cast<Parser*>(self);
    if (parser.fields_.size() > parser.most_fields_) return;  // one more than allowed says enough
    try {
      parser.fields_.emplace_back(static_cast<const char*>(text), size);
    } catch (...) {
      parser.out_of_memory_ = true;
    }
  }
  static void on_row(int, void* self) { static_cast<Parser*>(self)->row_done_ = true; }

  bool usable() const {
    STRATA_CHECK(!out_of_memory_, environment, "table", "there is no memory for a row");
    return true;
  }

  std::size_t most_fields_;
  csv_parser parser_{};
  std::vector<std::string> fields_;
  bool row_done_ = false, out_of_memory_ = false;
};

class CsvReader {
 public:
  CsvReader(LineReader& lines, const RowVisitor& visit, const TableLimits& limits, char separator)
      : lines_(lines), visit_(visit), limits_(limits), parser_(separator, limits.columns) {}

  std::vector<std::string> read(std::string line) {
    do take_line(line);
    while (lines_.next(line));
    if (!parser_.finish()) lines_.bad(row_line_, "begins a row with a quote that does not close before the file ends");
    if (parser_.row_done()) take_row();
    return std::move(columns_);
  }

 private:
  void take_line(const std::string& line) {
    if (!in_row_) {
      if (line.find_first_not_of(" \t\r\n") == std::string::npos) return;
      row_line_ = lines_.number();
      row_bytes_ = 0;
    }
    row_bytes_ += line.size();
    if (row_bytes_ > limits_.row_bytes)
      lines_.bad(row_line_, fmt::format("begins a row of more than {} bytes", limits_.row_bytes),
                 "is there a quote that does not close?");
    if (!parser_.feed(line))
      lines_.bad(lines_.number(), "has a quote inside a field, or text behind a closing quote",
                 "fields that hold quotes stand in quotes, with each inner quote doubled");
    if (parser_.fields() > limits_.columns)
      lines_.bad(row_line_, fmt::format("has more than {} fields", limits_.columns));
    in_row_ = !parser_.row_done();
    if (!in_row_) take_row();
  }

  void take_row() {
    std::vector<std::string> fields = parser_.take();
    if (std::ranges::all_of(fields, [](const std::string& field) { return field.empty(); })) return;
    if (columns_.empty()) return take_header(std::move(fields));
    if (fields.size() != columns_.size())
      lines_.bad(row_line_, fmt::format("has {} fields, the first row has {}", fields.size(), columns_.size()),
                 "fields that hold the separator stand in quotes");
    study::Row row{row_line_, std::vector<study::Cell>(fields.size())};
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].empty()) continue;
      row.cells[i].kind = study::Cell::Kind::text;
      row.cells[i].text = std::move(fields[i]);
    }
    visit_(columns_, std::move(row));
  }

  void take_header(std::vector<std::string> fields) {
    columns_ = std::move(fields);
    std::vector<std::string_view> names(columns_.begin(), columns_.end());
    std::erase(names, std::string_view());
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end())
      lines_.bad(row_line_, fmt::format("names the column {} twice", printable(*twice)),
                 "give each column its own name");
  }

  LineReader& lines_;
  const RowVisitor& visit_;
  const TableLimits& limits_;
  Parser parser_;
  std::vector<std::string> columns_;
  std::size_t row_bytes_ = 0;
  std::int64_t row_line_ = 0;
  bool in_row_ = false;
};

}  // namespace

std::vector<std::string> read_csv(LineReader& lines, std::string first, const RowVisitor& visit,
                                  const TableLimits& limits) {
  const char separator = separator_of(first);
  return CsvReader(lines, visit, limits, separator).read(std::move(first));
}

}  // namespace strata::io
