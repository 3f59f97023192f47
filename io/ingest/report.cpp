// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/report.hpp"

#include <nlohmann/json.hpp>

#include "strata/base/error.hpp"

namespace strata::ingest {
namespace {

using Json = nlohmann::ordered_json;

// Paths are bytes; what is no UTF-8 in them is shown as such.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void put(Json& line, const char* name, std::string_view value) {
  if (!value.empty()) line[name] = value;
}

}  // namespace

template <class J>
void Report::add(const J& line) {
  lines_ += text_of(line) + "\n";
}

void Report::file(std::string_view path, std::string_view reason, std::string_view detail) {
  Json line{{"kind", "file"}, {"path", path}, {"reason", reason}};
  put(line, "detail", detail);
  line["images"] = 1;
  add(line);
}

void Report::image(std::string_view path, std::string_view study, std::string_view series, std::string_view reason,
                   std::string_view detail, std::int64_t images) {
  Json line{{"kind", "image"}, {"path", path}, {"study", study}};
  put(line, "series", series);
  line["reason"] = reason;
  put(line, "detail", detail);
  line["images"] = images;
  add(line);
}

void Report::scan(const ScanLine& s) {
  Json line{{"kind", "scan"},     {"study", s.study},     {"series", s.series}, {"shard", s.shard},
            {"slices", s.slices}, {"missing", s.missing}, {"stored", s.stored}};
  if (s.straightened) line["straightened"] = true;
  if (s.regridded) line["regridded"] = true;
  add(line);
}

void Report::kept_study(std::string_view study, std::int64_t shard, std::int64_t scans) {
  add(Json{{"kind", "study"}, {"study", study}, {"shard", shard}, {"scans", scans}});
}

void Report::left_out_study(std::string_view study, std::string_view reason, std::string_view detail) {
  Json line{{"kind", "study"}, {"study", study}, {"reason", reason}};
  put(line, "detail", detail);
  add(line);
}

void Report::row(std::int64_t number, std::string_view reason, std::string_view detail) {
  Json line{{"kind", "row"}, {"line", number}, {"reason", reason}};
  put(line, "detail", detail);
  add(line);
}

void Report::note(std::string_view study, std::string_view series, std::string_view text) {
  add(Json{{"kind", "note"}, {"study", study}, {"series", series}, {"text", text}});
}

namespace {

void add_kept(Tally& tally, const Json& line, const std::string& kind) {
  if (kind == "study") ++tally.studies;
  if (kind != "scan") return;
  ++tally.scans;
  tally.series.insert(line.at("series").get<std::string>());
  tally.stored += line.at("stored").get<std::int64_t>();
  tally.slices += line.at("slices").get<std::int64_t>();
  tally.missing += line.at("missing").get<std::int64_t>();
}

void add_left_out(Tally& tally, const Json& line, const std::string& kind) {
  const auto reason = line.at("reason").get<std::string>();
  if (kind == "file") ++tally.files[reason];
  if (kind == "image") tally.images[reason] += line.at("images").get<std::int64_t>();
  if (kind == "study") ++tally.studies_out[reason];
  if (kind == "row") ++tally.rows[reason];
}

}  // namespace

void Tally::add_line(std::string_view text) {
  try {
    const Json line = Json::parse(text);
    const auto kind = line.at("kind").get<std::string>();
    line.contains("reason") ? add_left_out(*this, line, kind) : add_kept(*this, line, kind);
  } catch (const Json::exception& error) {
    fail(ErrorKind::data, "ingest report", error.what(), "was the report changed by hand? start the ingest anew");
  }
}

}  // namespace strata::ingest
