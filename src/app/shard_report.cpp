// SPDX-License-Identifier: Apache-2.0
#include "app/shard_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "io/hdf5/checksum.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using Json = nlohmann::ordered_json;

Json splits_of(const io::ShardSet& set) {
  std::map<std::string, std::int64_t> counts;
  for (std::int64_t study = 0; study < set.studies(); ++study) ++counts[std::string(set.split(study))];
  return counts;
}

// Known values, and how many of them are above zero.
Json labels_of(const io::ShardSet& set) {
  Json labels = Json::array();
  for (std::size_t column = 0; column < set.label_names().size(); ++column) {
    std::int64_t known = 0, positive = 0;
    for (std::int64_t study = 0; study < set.studies(); ++study) {
      const float value = set.labels(study)[column];
      known += std::isnan(value) ? 0 : 1;
      positive += value > 0 ? 1 : 0;
    }
    labels.push_back({{"name", set.label_names()[column]}, {"known", known}, {"positive", positive}});
  }
  return labels;
}

Json grid_of(const study::StoredGrid& grid) {
  return {{"channels", grid.channels},
          {"extents", grid.extents},
          {"dtype", std::string(name_of(grid.dtype))},
          {"value_scale", grid.value_scale},
          {"value_shift", grid.value_shift}};
}

Json shards_of(const io::ShardSet& set, const Verification& verified) {
  Json shards = Json::array();
  for (std::size_t i = 0; i < set.shards().size(); ++i) {
    const auto& shard = set.shards()[i];
    Json entry{{"file", shard.file}, {"studies", shard.studies}, {"scans", shard.scans}, {"bytes", shard.bytes}};
    if (verified) entry["damaged"] = (*verified)[i];
    shards.push_back(std::move(entry));
  }
  return shards;
}

Json scan_of(const io::ShardSet& set, std::int64_t study, std::int64_t scan) {
  const io::ScanRecord record = set.record(study, scan);
  Json intensity = Json::array();
  for (const auto& map : record.intensity) intensity.push_back({{"scale", map.scale}, {"offset", map.offset}});
  return {{"series", record.series},
          {"modality", record.modality},
          {"window", record.window},
          {"source_slices", record.source_slices},
          {"missing_slices", record.missing_slices},
          {"instances", record.instances.size()},
          {"origin", record.geometry.origin},
          {"steps", record.geometry.steps},
          {"intensity", intensity},
          {"description_hash", io::hex_of(record.description_hash)},
          {"checksum", io::hex_of(record.checksum)}};
}

std::string text_of(const Json& value) { return io::printable(value.get<std::string>()); }

std::string list_text(const Json& counts) {
  std::string text;
  for (const auto& [name, count] : counts.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name.empty() ? "none" : io::printable(name),
                        count.get<std::int64_t>());
  return text;
}

std::string shard_line(const Json& shard) {
  std::string line = fmt::format("  {:<20} {:>8} studies {:>8} scans {:>12}", shard["file"].get<std::string>(),
                                 shard["studies"].get<std::int64_t>(), shard["scans"].get<std::int64_t>(),
                                 size_text(shard["bytes"].get<double>()));
  if (!shard.contains("damaged")) return line + "\n";
  const auto& damaged = shard["damaged"];
  line += damaged.empty() ? "  whole\n" : fmt::format("  {} damaged:\n", damaged.size());
  for (const auto& scan : damaged) line += "    " + scan.get<std::string>() + "\n";
  return line;
}

// Lines of a profile behind a margin; what a terminal would obey is written out.
std::string indented(const std::string& text) {
  std::string result;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    for (char& c : line)
      if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
    result += "  " + line + "\n";
    begin = end + 1;
  }
  return result;
}

std::string vector_text(const Json& vector) {
  return fmt::format("({:g}, {:g}, {:g})", vector[0].get<double>(), vector[1].get<double>(), vector[2].get<double>());
}

}  // namespace

std::string size_text(double bytes) {
  constexpr std::array kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

Json report_set(const io::ShardSet& set, const Verification& verified) {
  std::int64_t scans = 0, bytes = 0, reports = 0, sentences = 0;
  for (const auto& shard : set.shards()) {
    scans += shard.scans;
    bytes += shard.bytes;
  }
  for (std::int64_t study = 0; study < set.studies(); ++study) {
    const auto said = static_cast<std::int64_t>(set.report(study).size());
    reports += said > 0 ? 1 : 0;
    sentences += said;
  }
  return {{"path", set.name()},       {"schema", io::kShardSchema},
          {"studies", set.studies()}, {"scans", scans},
          {"bytes", bytes},           {"grid", grid_of(set.grid())},
          {"splits", splits_of(set)}, {"labels", labels_of(set)},
          {"reports", reports},       {"sentences", sentences},
          {"profile", set.profile()}, {"shards", shards_of(set, verified)}};
}

Json report_study(const io::ShardSet& set, std::int64_t study) {
  Json labels = Json::object(), scans = Json::array();
  for (std::size_t column = 0; column < set.label_names().size(); ++column) {
    const float value = set.labels(study)[column];
    labels[set.label_names()[column]] = std::isnan(value) ? Json(nullptr) : Json(value);
  }
  for (std::int64_t scan = 0; scan < set.scans(study); ++scan) scans.push_back(scan_of(set, study, scan));
  return {{"key", std::string(set.key(study))},
          {"patient", std::string(set.patient(study))},
          {"split", std::string(set.split(study))},
          {"fold", set.fold(study)},
          {"shard", set.shards()[static_cast<std::size_t>(set.shard_of(study))].file},
          {"labels", labels},
          {"report", set.report(study)},
          {"scans", scans}};
}

std::string set_text(const Json& report) {
  const auto& grid = report["grid"];
  const auto number = [&](const char* name) { return report[name].get<std::int64_t>(); };
  std::string text =
      fmt::format("{}: {} studies, {} scans, {} shards, {}\n", text_of(report["path"]), number("studies"),
                  number("scans"), report["shards"].size(), size_text(report["bytes"].get<double>()));
  text += fmt::format("grid     {} x [{}, {}, {}] {}, a voxel v is {:g} v + {:g} to a model\n",
                      grid["channels"].get<std::int64_t>(), grid["extents"][0].get<std::int64_t>(),
                      grid["extents"][1].get<std::int64_t>(), grid["extents"][2].get<std::int64_t>(),
                      grid["dtype"].get<std::string>(), grid["value_scale"].get<double>(),
                      grid["value_shift"].get<double>());
  text += fmt::format("splits   {}\n", list_text(report["splits"]));
  text += fmt::format("reports  {}, {} sentences in all\n", number("reports"), number("sentences"));
  text += "labels   " + std::string(report["labels"].empty() ? "none\n" : "\n");
  for (const auto& label : report["labels"])
    text += fmt::format("  {:<30} known of {:>8}, positive in {:>8}\n", text_of(label["name"]),
                        label["known"].get<std::int64_t>(), label["positive"].get<std::int64_t>());
  text += "profile\n" + indented(report["profile"].get<std::string>()) + "shards\n";
  for (const auto& shard : report["shards"]) text += shard_line(shard);
  return text;
}

std::string study_text(const Json& report) {
  std::string text = fmt::format("study    {}\npatient  {}\nsplit    {}, fold {}\nshard    {}\n",
                                 text_of(report["key"]), text_of(report["patient"]), text_of(report["split"]),
                                 report["fold"].get<std::int64_t>(), report["shard"].get<std::string>());
  for (const auto& [name, value] : report["labels"].items())
    text += fmt::format("label    {}: {}\n", io::printable(name), value.is_null() ? "not known" : value.dump());
  for (const auto& sentence : report["report"])
    text += fmt::format("report   {}\n", io::printable(sentence.get<std::string>(), 1000));
  for (std::size_t i = 0; i < report["scans"].size(); ++i) {
    const auto& scan = report["scans"][i];
    text += fmt::format("scan {}   {} {} {}: {} slices, {} missing\n", i, text_of(scan["series"]),
                        text_of(scan["modality"]), text_of(scan["window"]), scan["source_slices"].get<std::int64_t>(),
                        scan["missing_slices"].get<std::int64_t>());
    text += fmt::format("         origin {} mm, steps {} {} {}\n", vector_text(scan["origin"]),
                        vector_text(scan["steps"][0]), vector_text(scan["steps"][1]), vector_text(scan["steps"][2]));
  }
  return text;
}

}  // namespace strata::app
