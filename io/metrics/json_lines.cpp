// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "io/metrics/append_file.hpp"
#include "io/metrics/metrics.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

using Json = nlohmann::ordered_json;

bool is_field(std::string_view name) {
  return name == "kind" || name == "step" || name == "seconds" || name == "texts";
}

// As values stand in a line: without the kind, unless that leaves a name that is taken.
std::string line_name(const MetricRecord& record, const std::string& name) {
  const std::string full = metric_name(record.kind, name);
  const std::string bare = full.substr(record.kind.size() + 1);
  return is_field(bare) || bare.empty() ? full : bare;
}

Json as_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

std::string as_line(const MetricRecord& record) {
  Json line{{"kind", record.kind}, {"step", record.step}, {"seconds", as_json(record.seconds)}};
  for (const auto& [name, value] : record.values) line[line_name(record, name)] = as_json(value);
  for (const auto& [name, text] : record.texts) line["texts"][name] = text;
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

class JsonLinesSink final : public MetricSink {
 public:
  explicit JsonLinesSink(const std::string& path) : file_(path, AppendFile::Open::append) {
    file_.cut_behind_last('\n');
  }

  void write(const MetricRecord& record) override { file_.write(as_line(record)); }
  void flush() override { file_.sync(); }

 private:
  AppendFile file_;
};

// Where a line is, for what is wrong with it.
struct Place {
  const std::string& path;
  std::int64_t line;
};

[[noreturn]] void bad(const Place& place, std::string_view what) {
  fail(ErrorKind::data, "metrics", fmt::format("line {} of {} {}", place.line, printable(place.path, 400), what),
       "each line of the file is one JSON object, as a run writes it");
}

double as_number(const Json& value, const std::string& name, const Place& place) {
  if (value.is_number()) return value.get<double>();
  if (value == "NaN") return std::nan("");
  if (value == "Infinity") return HUGE_VAL;
  if (value == "-Infinity") return -HUGE_VAL;
  bad(place, fmt::format("gives {} for {}, which is no number", printable(value.dump(), 60), printable(name)));
}

void read_texts(const Json& texts, MetricRecord& record, const Place& place) {
  if (!texts.is_object()) bad(place, "has 'texts' that are no object");
  for (const auto& [name, text] : texts.items()) {
    if (!text.is_string()) bad(place, fmt::format("gives no text for {}", printable(name)));
    record.texts.emplace_back(name, text.get<std::string>());
  }
}

MetricRecord as_record(const Json& line, const Place& place) {
  if (!line.is_object()) bad(place, "is no JSON object");
  const auto kind = line.find("kind"), step = line.find("step");
  if (kind == line.end() || !kind->is_string()) bad(place, "has no 'kind'");
  if (step == line.end() || !step->is_number_integer()) bad(place, "has no whole number as 'step'");
  MetricRecord record{.kind = kind->get<std::string>(), .step = step->get<std::int64_t>(), .values = {}};
  for (const auto& [name, value] : line.items()) {
    if (name == "seconds")
      record.seconds = as_number(value, name, place);
    else if (name == "texts")
      read_texts(value, record, place);
    else if (!is_field(name))
      record.values.emplace_back(name, as_number(value, name, place));
  }
  return record;
}

std::string contents_of(const std::string& path) {
  const InputFile file("metrics", path);
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

// From the end, as a later record decides about earlier ones.
std::vector<MetricRecord> what_counts(std::vector<MetricRecord> records) {
  std::vector<MetricRecord> counted;
  std::set<std::pair<std::string, std::int64_t>> seen;
  std::int64_t last = std::numeric_limits<std::int64_t>::max();
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->step > last || !seen.emplace(record->kind, record->step).second) continue;
    if (record->kind == "start") last = std::min(last, record->step);
    counted.push_back(std::move(*record));
  }
  std::ranges::reverse(counted);
  return counted;
}

}  // namespace

std::unique_ptr<MetricSink> json_lines_sink(const std::string& path) { return std::make_unique<JsonLinesSink>(path); }

std::string metric_name(std::string_view kind, std::string_view name) {
  const bool whole = name.size() > kind.size() && name.starts_with(kind) && name[kind.size()] == '/';
  return whole ? std::string(name) : fmt::format("{}/{}", kind, name);
}

std::vector<MetricRecord> read_metrics(const std::string& path) {
  const std::string text = contents_of(path);
  std::vector<MetricRecord> records;
  Place place{path, 0};
  for (std::size_t at = 0; at < text.size();) {
    ++place.line;
    const std::size_t end = text.find('\n', at);
    const std::string_view line = std::string_view(text).substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? text.size() : end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Json parsed = Json::parse(line, nullptr, false);
    if (parsed.is_discarded() && end == std::string::npos) break;  // the run was killed while it wrote
    if (parsed.is_discarded()) bad(place, "cannot be read as JSON");
    records.push_back(as_record(parsed, place));
  }
  return what_counts(std::move(records));
}

}  // namespace strata::io
