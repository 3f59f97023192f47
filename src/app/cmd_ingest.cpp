// SPDX-License-Identifier: Apache-2.0
// strata ingest: a tree of DICOM, NIfTI or .npy files to a set of study shards, on any number of ranks.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "app/command.hpp"
#include "app/config_file.hpp"
#include "io/identity/identity.hpp"
#include "io/ingest/ingest.hpp"
#include "io/table/table.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/config/node.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using ingest::Progress;

struct IngestOptions {
  std::string profile, to, private_folder, reports, select;
  std::vector<std::string> from, exclude, modalities, split;
  study::RecordColumns columns;
  std::int64_t min_slices = 5, shard_mib = 512;
  std::uint64_t split_seed = 0;
  bool only_with_record = false;
};

// Rank 0 reads, all parse: a table is read from the file system once.
std::string shared_text(comm::Communicator& world, const std::string& path) {
  std::string text;
  if (world.rank() == 0) {
    const io::InputFile file("ingest", path);
    text.resize(file.size());
    file.read(0, std::as_writable_bytes(std::span(text)));
  }
  return comm::broadcast_text(world, std::move(text));
}

study::Records records_of(comm::Communicator& world, const IngestOptions& options) {
  const std::string text = shared_text(world, options.reports);
  study::Records records(options.reports, options.columns);
  io::read_rows(std::as_bytes(std::span(text)), options.reports,
                [&](const std::vector<std::string>& columns, study::Row row) { records.add(columns, std::move(row)); });
  records.finish();
  return records;
}

// "train=0.8"
study::SplitShares shares_of(const IngestOptions& options) {
  study::SplitShares shares{.train = 0, .val = 0, .test = 0, .seed = options.split_seed};
  for (const auto& item : options.split) {
    const auto at = item.find('=');
    const std::string name = item.substr(0, at);
    double* share = name == "train"  ? &shares.train
                    : name == "val"  ? &shares.val
                    : name == "test" ? &shares.test
                                     : nullptr;
    char* end = nullptr;
    const double value = at == std::string::npos ? -1 : std::strtod(item.c_str() + at + 1, &end);
    STRATA_CHECK(share != nullptr && end != nullptr && *end == '\0' && value >= 0, usage, "ingest",
                 fmt::format("--split cannot read '{}'", item), "write --split train=0.8 val=0.1 test=0.1");
    *share = value;
  }
  const double sum = shares.train + shares.val + shares.test;
  STRATA_CHECK(sum > 0.999 && sum < 1.001, usage, "ingest", fmt::format("the shares of --split add up to {}", sum),
               "they must add up to 1");
  return shares;
}

// The key lies on one file system that rank 0 sees; the others get it from there.
io::IdentityKey shared_key(comm::Communicator& world, const IngestOptions& options) {
  std::string bytes(io::IdentityKey::kBytes, '\0');
  if (world.rank() == 0) {
    std::error_code ignored;  // the key file says what is wrong with the folder
    const std::filesystem::path folder(options.private_folder);
    if (!folder.parent_path().empty()) std::filesystem::create_directories(folder.parent_path(), ignored);
    if (std::filesystem::create_directory(folder, ignored))
      std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
    const auto key = io::IdentityKey::load_or_create(options.private_folder + "/pseudonym.key", options.to);
    std::memcpy(bytes.data(), key.bytes().data(), bytes.size());
  }
  bytes = comm::broadcast_text(world, bytes);
  std::array<std::byte, io::IdentityKey::kBytes> raw{};
  std::memcpy(raw.data(), bytes.data(), raw.size());
  return io::IdentityKey(raw);
}

ingest::Job job_of(comm::Communicator& world, const IngestOptions& options) {
  ingest::Job job{.sources = options.from,
                  .exclude = options.exclude,
                  .set_folder = options.to,
                  .private_folder = options.private_folder,
                  .profile = study::parse_profile(config::Node::load(config_file("data", options.profile))),
                  .planning = {.min_slices = options.min_slices},
                  .selection = {.modalities = options.modalities, .least_slices = 1, .series = {}},
                  .key = shared_key(world, options),
                  .tables = {},
                  .shard_bytes = options.shard_mib << 20};
  if (job.selection.modalities.empty()) job.selection.modalities = job.profile.modalities;
  if (!options.select.empty()) {
    const std::string text = shared_text(world, options.select);
    job.selection.series.emplace(io::read_table(std::as_bytes(std::span(text)), options.select));
  }
  if (!options.reports.empty()) job.tables.records.emplace(records_of(world, options));
  job.tables.only_with_record = options.only_with_record;
  if (!options.split.empty()) job.tables.shares = shares_of(options);
  return job;
}

// One line at a time on a terminal, a line now and then elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(int ranks) : ranks_(ranks), terminal_(isatty(STDERR_FILENO) == 1), begin_(Clock::now()) {}

  void show(const Progress& progress) {
    if (progress.stage != stage_) {
      stage_ = progress.stage;
      begin_ = last_ = Clock::now();
      first_ = progress.done;
      if (stage_ == Progress::Stage::headers) return;  // a rate of one file says nothing
    } else if (!due(progress)) {
      return;
    }
    last_ = Clock::now();
    if (first_ < 0) first_ = progress.done;
    const std::string text = text_of(progress);
    if (!text.empty()) std::fprintf(stderr, terminal_ ? "\r%-79s" : "%s\n", text.c_str());
    if (terminal_) std::fflush(stderr);
  }
  void end() const {
    if (terminal_) std::fputc('\n', stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool due(const Progress& progress) const {
    if (progress.done == progress.total) return true;
    return Clock::now() - last_ > (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(5000));
  }

  std::string text_of(const Progress& progress) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    const double rate = static_cast<double>(progress.done - first_) / std::max(seconds, 1e-3);
    switch (progress.stage) {
      case Progress::Stage::files: return "ingest: looking for files";
      case Progress::Stage::headers:
        return fmt::format("ingest: headers {} of {}{}, {:.0f} a second", progress.done, progress.total,
                           ranks_ > 1 ? " (one rank's share)" : "", rate);
      case Progress::Stage::studies: break;
    }
    if (progress.done == first_)
      return fmt::format("ingest: {} studies in {} shards{}", progress.total, progress.shards,
                         progress.resumed ? ", going on behind those that were finished" : "");
    const double left = static_cast<double>(progress.total - progress.done) / std::max(rate, 1e-9);
    return fmt::format("ingest: studies {} of {}, shard {} of {}, {:.1f} studies a second, {:.0f} s left",
                       progress.done, progress.total, progress.shard, progress.shards, rate, left);
  }

  int ranks_;
  bool terminal_;
  Clock::time_point begin_, last_;
  Progress::Stage stage_ = Progress::Stage::files;
  std::int64_t first_ = -1;
};

void print_reasons(const char* what, const std::map<std::string, std::int64_t>& reasons) {
  for (const auto& [reason, count] : reasons) fmt::print("  {:<22} {:>10}   {}\n", what, count, reason);
}

void print_table(const ingest::Result& result, const IngestOptions& options) {
  const ingest::Tally& tally = result.tally;
  fmt::print("kept\n");
  fmt::print("  {:<22} {:>10}\n", "studies", tally.studies);
  fmt::print("  {:<22} {:>10}\n", "series", tally.series.size());
  fmt::print("  {:<22} {:>10}   of {} slices, {} missing\n", "volumes", tally.scans, tally.slices, tally.missing);
  fmt::print("  {:<22} {:>10}   in {} shards\n", "stored scans", tally.stored, result.shards);
  fmt::print("left out, of {} files\n", result.files);
  print_reasons("files", tally.files);
  print_reasons("images", tally.images);
  print_reasons("studies", tally.studies_out);
  print_reasons("rows of the table", tally.rows);
  if (result.already_finished)
    fmt::print("nothing was left to do: {} is finished\n", io::printable(options.to, 400));
  else
    fmt::print("{:.1f} s for headers, {:.1f} s for {} studies ({:.2f} a second)\n", result.header_seconds,
               result.study_seconds, result.studies_now,
               static_cast<double>(result.studies_now) / std::max(result.study_seconds, 1e-9));
  fmt::print("{} holds the shards; {} the key and report.jsonl, which names every reason\n",
             io::printable(options.to, 400), io::printable(options.private_folder, 400));
}

void run_ingest(IngestOptions options) {
  while (options.to.size() > 1 && options.to.ends_with('/')) options.to.pop_back();
  if (options.private_folder.empty()) options.private_folder = options.to + ".private";
  comm::run_world([&](comm::Communicator& world) {
    const ingest::Job job = job_of(world, options);
    ProgressLine line(world.size());
    const auto show = [&](const Progress& progress) {
      if (world.rank() == 0) line.show(progress);
    };
    const ingest::Result result = ingest::ingest(world, job, show);
    if (world.rank() != 0) return;
    line.end();
    print_table(result, options);
  });
}

}  // namespace

Action add_ingest(CLI::App& parser) {
  const auto options = std::make_shared<IngestOptions>();
  const auto o = options.get();
  parser.add_option("profile", o->profile, "ingest profile: a name in configs/data, or a file")
      ->required()
      ->type_name("PROFILE");
  parser.add_option("--from", o->from, "folders (or files) of DICOM, NIfTI or .npy files, in any order")
      ->required()
      ->type_name("PATH");
  parser.add_option("--exclude", o->exclude, "files whose path matches are passed over, such as '*label*'")
      ->type_name("PATTERN");
  parser.add_option("--to", o->to, "folder of the new set of shards")->required()->type_name("DIR");
  parser.add_option("--private", o->private_folder, "key, report and journal, for you alone; default: DIR.private")
      ->type_name("DIR");
  parser.add_option("--reports", o->reports, "CSV or JSON Lines of reports and labels, a row a study")
      ->type_name("FILE");
  parser.add_option("--study-column", o->columns.study_uid, "its column of study instance UIDs")->type_name("NAME");
  parser.add_option("--accession-column", o->columns.accession, "its column of accession numbers")->type_name("NAME");
  parser.add_option("--patient-column", o->columns.patient, "its column of patients")->type_name("NAME");
  parser.add_option("--report-column", o->columns.report, "its columns of report text, in reading order")
      ->type_name("NAME");
  parser.add_option("--label-column", o->columns.labels, "its columns of labels; '*': all that hold numbers")
      ->type_name("NAME");
  parser.add_option("--fold-column", o->columns.fold, "its column of folds")->type_name("NAME");
  parser.add_option("--split-column", o->columns.split, "its column of given splits")->type_name("NAME");
  parser.add_flag("--only-with-row", o->only_with_record, "leave out studies that the table does not name");
  parser.add_option("--split", o->split, "shares of patients, as train=0.8 val=0.1 test=0.1")->type_name("NAME=SHARE");
  parser.add_option("--split-seed", o->split_seed, "another drawing of the split");
  parser
      .add_option("--select", o->select, "CSV of Study Description, kVp, Convolution Kernel: other scans are left out")
      ->type_name("FILE");
  parser.add_option("--modality", o->modalities, "take these alone; default: the profile's")->type_name("NAME");
  parser.add_option("--min-slices", o->min_slices, "volumes of fewer slices are left out")->check(CLI::PositiveNumber);
  parser.add_option("--shard-size", o->shard_mib, "MiB of voxels a shard")->check(CLI::Range(1, 1 << 20));
  return [options] { run_ingest(*options); };
}

}  // namespace strata::app
