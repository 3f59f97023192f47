// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>

#include "io/metrics/append_file.hpp"
#include "io/metrics/event.hpp"
#include "io/metrics/metrics.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "host";
  std::string text(name.data());
  std::ranges::replace(text, '/', '_');
  return text;
}

std::int64_t second_in(const std::string& name) {
  std::int64_t second = 0;
  if (name.starts_with(kPrefix))
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), second);  // not a number: 0
  return second;
}

// TensorBoard reads a folder's files by name, so a later start must have a later second, whatever the clocks say.
std::int64_t second_behind_all(const std::string& folder, double wall_time) {
  auto second = static_cast<std::int64_t>(wall_time);
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    second = std::max(second, second_in(at->path().filename().string()) + 1);
  STRATA_CHECK(!error, environment, "metrics",
               fmt::format("folder {} cannot be listed: {}", printable(folder, 400), error.message()),
               "create the folder first");
  return second;
}

std::string new_path(const std::string& folder) {
  const std::string name =
      fmt::format("{}{:010}.{}.{}", kPrefix, second_behind_all(folder, now()), host_name(), ::getpid());
  return (fs::path(folder) / name).string();
}

// Indented by four: Markdown shows it as it stands.
std::string as_code(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::string code = "    ";
  for (const char letter : text) {
    code += letter;
    if (letter == '\n') code += "    ";
  }
  return code;
}

class EventFileSink final : public MetricSink {
 public:
  explicit EventFileSink(const std::string& folder) : file_(new_path(folder), AppendFile::Open::create) {
    file_.write(tf_record(version_event(now())));
  }

  void write(const MetricRecord& record) override {
    const double time = now();
    std::string bytes;
    SummaryBytes summary;
    if (record.kind == "start") {
      // TensorBoard forgets the mark's own step too; a run that starts at k keeps what is known of k.
      bytes += tf_record(session_start_event(time, record.step + 1));
      for (const auto& [name, text] : record.texts) summary.add_text(metric_name(record.kind, name), as_code(text));
    } else {
      for (const auto& [name, value] : record.values) summary.add_scalar(metric_name(record.kind, name), value);
    }
    if (!summary.empty()) bytes += tf_record(summary_event(time, record.step, summary));
    if (!bytes.empty()) file_.write(bytes);
  }

  void flush() override { file_.sync(); }

 private:
  AppendFile file_;
};

}  // namespace

std::unique_ptr<MetricSink> event_file_sink(const std::string& folder) {
  return std::make_unique<EventFileSink>(folder);
}

}  // namespace strata::io
