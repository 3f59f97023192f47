// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/journal.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"

namespace strata::ingest {
namespace {

namespace fs = std::filesystem;

void make_folder(const std::string& path, mode_t mode) {
  std::error_code failed;
  if (fs::is_directory(path)) return;
  const auto parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, failed);
  const bool made = !failed && (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST);
  STRATA_CHECK(made, environment, "ingest",
               fmt::format("the folder {} cannot be made: {}", io::printable(path, 400),
                           failed ? failed.message() : std::strerror(errno)),
               "is there room, and may you write there?");
}

std::string read_text(const std::string& path) {
  const io::InputFile file("ingest", path);
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void write_text(const std::string& path, std::string_view text) {
  io::OutputFile file("ingest", path);
  file.write(text);
  file.commit();
}

template <class F>
void each_line(const std::string& path, const F& f) {
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty()) f(line);
}

}  // namespace

Journal::Journal(std::string set_folder, std::string private_folder)
    : set_(std::move(set_folder)), private_(std::move(private_folder)) {
  make_folder(set_, 0777);
  make_folder(private_, 0700);
  make_folder(private_ + "/parts", 0700);
}

void Journal::agree(std::string_view fingerprint) {
  const std::string path = set_ + "/plan";
  if (!fs::exists(path)) {
    STRATA_CHECK(std::ranges::none_of(fs::directory_iterator(set_),
                                      [](const auto& entry) { return entry.path().extension() == ".h5"; }),
                 usage, "ingest",
                 fmt::format("{} holds shards that this ingest did not begin", io::printable(set_, 400)),
                 "give --to an empty folder");
    return write_text(path, std::string(fingerprint) + "\n");
  }
  STRATA_CHECK(read_text(path) == std::string(fingerprint) + "\n", usage, "ingest",
               fmt::format("{} was begun from other files, another profile, other options or another key",
                           io::printable(set_, 400)),
               "repeat the first command to go on, or give --to an empty folder");
}

std::string Journal::part_path(std::string_view name) const { return fmt::format("{}/parts/{}.jsonl", private_, name); }

std::string Journal::report_path() const { return private_ + "/report.jsonl"; }

void Journal::write_part(std::string_view name, std::string_view lines) { write_text(part_path(name), lines); }

bool Journal::has_part(std::string_view name) const { return fs::exists(part_path(name)); }

std::string Journal::read_part(std::string_view name) const { return read_text(part_path(name)); }

void Journal::remove_header_parts() {
  for (const auto& entry : fs::directory_iterator(private_ + "/parts"))
    if (entry.path().filename().string().starts_with("headers-")) fs::remove(entry.path());
}

Tally Journal::close() {
  std::vector<std::string> parts;
  for (const auto& entry : fs::directory_iterator(private_ + "/parts"))
    if (entry.path().extension() == ".jsonl") parts.push_back(entry.path().string());
  std::ranges::sort(parts);
  Tally tally;
  io::OutputFile report("ingest", report_path());
  std::string lines;  // a write a line would be slow
  for (const auto& part : parts) {
    each_line(part, [&](const std::string& line) {
      tally.add_line(line);
      lines += line + "\n";
      if (lines.size() > (1u << 20)) {
        report.write(lines);
        lines.clear();
      }
    });
  }
  report.write(lines);
  report.commit();
  return tally;
}

void Journal::remove_parts() { fs::remove_all(private_ + "/parts"); }

Tally Journal::read_report() const {
  Tally tally;
  each_line(report_path(), [&](const std::string& line) { tally.add_line(line); });
  return tally;
}

}  // namespace strata::ingest
