// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "io/table/formats.hpp"
#include "strata/base/text.hpp"

namespace strata::io {
namespace {

using study::Cell;

constexpr std::size_t kDeepest = 64;

// Receives the JSON events of one line. What stands deeper than a list of texts is passed over: its cell says so.
class ObjectReader {
 public:
  ObjectReader(const LineReader& lines, const TableLimits& limits) : lines_(lines), limits_(limits) {}

  const std::vector<std::string>& columns() const { return columns_; }

  study::Row read(const std::string& line) {
    row_ = {lines_.number(), std::vector<Cell>(columns_.size())};
    seen_.assign(columns_.size(), false);
    depth_ = 0;
    nlohmann::json::sax_parse(line.begin(), line.end(), this);
    return std::move(row_);
  }

  bool null() { return depth_ == 1 || nested("null"); }
  bool boolean(bool value) { return scalar(value ? "true" : "false", "a boolean"); }
  bool number_integer(std::int64_t value) { return scalar(std::to_string(value), "a number"); }
  bool number_unsigned(std::uint64_t value) { return scalar(std::to_string(value), "a number"); }
  bool number_float(double, const std::string& text) { return scalar(text, "a number"); }
  bool binary(std::vector<std::uint8_t>&) { return nested("binary data"); }

  bool string(std::string& value) {
    if (value.find('\0') != std::string::npos) bad("holds a zero character");
    if (depth_ == 2 && cell().kind == Cell::Kind::list) {
      cell().list.push_back(std::move(value));
      return true;
    }
    return scalar(std::move(value), "a text");
  }

  bool start_object(std::size_t) {
    if (depth_ > 0) nested("an object");
    return deeper();
  }
  bool end_object() { return shallower(); }

  bool key(std::string& name) {
    if (depth_ == 1) choose(name);
    return true;
  }

  bool start_array(std::size_t) {
    if (depth_ == 1) {
      cell().kind = Cell::Kind::list;
    } else {
      nested("a list");
    }
    return deeper();
  }
  bool end_array() { return shallower(); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    lines_.bad(lines_.number(), fmt::format("is not one JSON object: the error is at byte {}", position),
               "JSON Lines have one object a line");
  }

 private:
  [[noreturn]] void bad(std::string_view what) const { lines_.bad(lines_.number(), what); }

  Cell& cell() { return row_.cells[column_]; }

  bool scalar(std::string text, std::string_view what) {
    if (depth_ != 1) return nested(what);
    cell().kind = Cell::Kind::text;
    cell().text = std::move(text);
    return true;
  }

  bool nested(std::string_view what) {
    if (depth_ == 0) bad(fmt::format("is {}, not an object", what));
    cell() = {};
    cell().kind = Cell::Kind::nested;
    return true;
  }

  bool deeper() {
    if (++depth_ > kDeepest) bad(fmt::format("has more than {} levels", kDeepest));
    return true;
  }
  bool shallower() {
    --depth_;
    return true;
  }

  void choose(const std::string& name) {
    const auto [at, added] = index_.try_emplace(name, columns_.size());
    column_ = at->second;
    if (added) {
      if (columns_.size() == limits_.columns) bad(fmt::format("is the first with more than {} keys", limits_.columns));
      columns_.push_back(name);
      row_.cells.emplace_back();
      seen_.push_back(false);
    }
    if (seen_[column_]) bad(fmt::format("has the key {} twice", printable(name)));
    seen_[column_] = true;
  }

  const LineReader& lines_;
  const TableLimits& limits_;
  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::size_t> index_;
  study::Row row_;
  std::vector<bool> seen_;
  std::size_t column_ = 0, depth_ = 0;
};

}  // namespace

std::vector<std::string> read_json_lines(LineReader& lines, std::string first, const RowVisitor& visit,
                                         const TableLimits& limits) {
  ObjectReader reader(lines, limits);
  std::string line = std::move(first);
  do {
    if (line.find_first_not_of(" \t\r\n") == std::string::npos) continue;
    study::Row row = reader.read(line);
    visit(reader.columns(), std::move(row));
  } while (lines.next(line));
  return reader.columns();
}

}  // namespace strata::io
