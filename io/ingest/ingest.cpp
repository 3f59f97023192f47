// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/ingest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <span>

#include "io/ingest/index.hpp"
#include "io/ingest/joined.hpp"
#include "io/ingest/journal.hpp"
#include "io/ingest/lists.hpp"
#include "io/ingest/tree.hpp"
#include "io/shard/shard.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/study/profile.hpp"

namespace strata::ingest {
namespace {

using Clock = std::chrono::steady_clock;

Tally tally_of(std::string_view lines) {
  Tally tally;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    tally.add_line(lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
  return tally;
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Ingest {
 public:
  Ingest(comm::Communicator& group, const Job& job, const std::function<void(const Progress&)>& progress)
      : group_(group), job_(job), progress_(progress), preparer_(job.profile, job.planning, job.selection, job.key) {
    description_ = {.grid = preparer_.grid(), .label_names = {}, .profile = study::text_of(job.profile)};
    if (job.tables.records) description_.label_names = job.tables.records->label_names();
    // Rank 0 makes the folders; its errors reach the others by ending the job.
    if (root()) journal_.emplace(job.set_folder, job.private_folder);
    group_.barrier().wait();
    if (!root()) journal_.emplace(job.set_folder, job.private_folder);
  }

  Result run() {
    const auto begin = Clock::now();
    find_studies();
    plan();
    agree();
    result_.header_seconds = seconds_since(begin);
    if (result_.already_finished) return finished_already();
    write_shards();
    return finish();
  }

 private:
  bool root() const { return group_.rank() == 0; }

  void find_studies() {
    progress_({.stage = Progress::Stage::files});
    const Tree tree = find_files(group_, job_.sources);
    result_.files = tree.all_files;
    STRATA_CHECK(tree.all_files > 0, data, "ingest", "there are no files in what --from names", "is it mounted?");
    const auto total = static_cast<std::int64_t>(tree.files.size());
    index_ = index_files(group_, tree, job_.sources, job_.exclude, headers_, [&](std::int64_t files) {
      progress_({.stage = Progress::Stage::headers, .done = files, .total = total});
    });
  }

  // What each rank's studies will need, known to all, by ascending key.
  void plan() {
    std::string mine;
    for (auto& text : index_.studies) {
      const auto plan = preparer_.plan(study_of(text), headers_);
      if (!plan) continue;
      for (const auto& part :
           {plan->study.key, std::to_string(plan->study.stored_bytes), std::to_string(plan->study.work),
            plan->ids.study_uid, plan->ids.accession_number, plan->ids.patient_id})
        append(mine, part);
      own_[plan->study.key] = std::move(text);
    }
    index_.studies.clear();
    std::vector<Planned> all;
    const auto lists = comm::gather_texts(group_, mine);
    for (std::size_t rank = 0; rank < lists.size(); ++rank)
      add_planned(items(lists[rank]), static_cast<int>(rank), all);
    std::ranges::sort(all, {}, [](const Planned& planned) { return planned.study.key; });
    join(all);
    shards_ = cut_into_shards(studies_, job_.shard_bytes);
  }

  struct Planned {
    PlannedStudy study;
    study::StudyIds ids;
  };
  static void add_planned(const std::vector<std::string>& parts, int owner, std::vector<Planned>& all) {
    for (std::size_t i = 0; i + 5 < parts.size(); i += 6)
      all.push_back({.study = {parts[i], std::stoll(parts[i + 1]), std::stoll(parts[i + 2]), owner},
                     .ids = {parts[i + 3], parts[i + 4], parts[i + 5]}});
  }

  // Every rank joins alike; one of them reports.
  void join(const std::vector<Planned>& all) {
    std::vector<FoundIds> found;
    for (const auto& planned : all)
      found.push_back(
          {planned.study.key, preparer_.pseudonym(io::IdentityKind::patient, planned.ids.patient_id), planned.ids});
    Report elsewhere;
    auto facts = joined_facts(job_.tables, found, job_.key, root() ? headers_ : elsewhere);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!facts[i]) {
        own_.erase(all[i].study.key);
        continue;
      }
      studies_.push_back(all[i].study);
      facts_.push_back(std::move(*facts[i]));
    }
  }

  // Everything that the set follows from, under the key: it says nothing to others.
  std::string fingerprint() const {
    std::string plan = description_.profile + "\n";
    for (const auto& name : description_.label_names) append(plan, name);
    for (std::size_t i = 0; i < studies_.size(); ++i) {
      append(plan, fmt::format("{} {} {} {} {}", studies_[i].key, studies_[i].stored_bytes, studies_[i].work,
                               facts_[i].split, facts_[i].fold));
      for (const auto& sentence : facts_[i].report) append(plan, sentence);
      for (const float label : facts_[i].labels) append(plan, fmt::format("{}", label));
    }
    const auto digest = io::hmac_sha256(job_.key.bytes(), std::as_bytes(std::span(plan)));
    std::string text = fmt::format("{} studies in {} shards ", studies_.size(), shards_.size());
    for (const auto byte : digest) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return text;
  }

  // The plan is that of an earlier start, or the first. Then the reports of this start's headers.
  void agree() {
    STRATA_CHECK(!studies_.empty(), data, "ingest",
                 fmt::format("none of {} files belongs to a study that can be used", result_.files),
                 "see " + reasons());
    std::string finished;
    if (root()) {
      journal_->agree(fingerprint());
      finished = io::is_finished_set(job_.set_folder) ? "yes" : "";
      if (finished.empty()) journal_->remove_header_parts();
    }
    result_.already_finished = !comm::broadcast_text(group_, finished).empty();
    if (result_.already_finished) return;
    journal_->write_part(fmt::format("headers-{:05}", group_.rank()), headers_.lines());
  }

  // The commonest reasons on this rank, when nothing is left to write.
  std::string reasons() const {
    const Tally tally = tally_of(headers_.lines());
    std::string text = "what was left out:";
    for (const auto* by : {&tally.files, &tally.images, &tally.studies_out})
      for (const auto& [reason, count] : *by) text += fmt::format(" {} {}", reason, count);
    return text;
  }

  static std::string part_of(std::size_t shard) { return fmt::format("shard-{:06}", shard); }

  // How many planned shards an earlier start is through with, and how many files they gave: a planned shard none of
  // whose studies could be read gives no file, its report alone says that it is done.
  std::pair<std::size_t, std::int64_t> done_before() {
    std::string done;
    if (root()) {
      const auto finished = io::finished_shards(job_.set_folder);
      std::size_t shard = 0;
      std::int64_t files = 0;
      for (; shard < shards_.size() && journal_->has_part(part_of(shard)); ++shard) {
        if (tally_of(journal_->read_part(part_of(shard))).studies == 0) continue;
        if (std::ranges::find(finished, files, &io::ShardSummary::number) == finished.end()) break;
        ++files;
      }
      done = fmt::format("{} {}", shard, files);
    }
    done = comm::broadcast_text(group_, done);
    return {std::stoull(done), std::stoll(done.substr(done.find(' ')))};
  }

  void write_shards() {
    const auto begin = Clock::now();
    const auto [done, files] = done_before();
    files_ = files;
    Progress progress{.stage = Progress::Stage::studies,
                      .total = static_cast<std::int64_t>(studies_.size()),
                      .shards = static_cast<std::int64_t>(shards_.size()),
                      .resumed = done > 0};
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
      const auto count = static_cast<std::int64_t>(shards_[shard].end - shards_[shard].begin);
      progress.shard = static_cast<std::int64_t>(shard);
      progress_(progress);
      if (shard >= done) {
        write_shard(shard);
        result_.studies_now += count;
      }
      progress.done += count;
    }
    progress.shard = progress.shards;
    progress_(progress);
    result_.study_seconds = seconds_since(begin);
  }

  // The headers of a shard's studies go from their owners to the ranks that will work on them.
  std::vector<std::string> hand_out(std::size_t shard) {
    const std::span planned =
        std::span(studies_).subspan(shards_[shard].begin, shards_[shard].end - shards_[shard].begin);
    const auto workers = deal(planned, group_.size());
    std::vector<std::string> lists(static_cast<std::size_t>(group_.size()));
    for (std::size_t i = 0; i < planned.size(); ++i) {
      if (planned[i].owner != group_.rank()) continue;
      const auto own = own_.find(planned[i].key);
      append(lists[static_cast<std::size_t>(workers[i])], std::to_string(shards_[shard].begin + i));
      append(lists[static_cast<std::size_t>(workers[i])], own->second);
      own_.erase(own);
    }
    std::vector<std::string> got;
    for (const auto& list : comm::exchange_texts(group_, lists))
      std::ranges::move(items(list), std::back_inserter(got));
    return got;
  }

  void write_shard(std::size_t shard) {
    Report report;
    std::vector<study::StoredStudy> mine;
    const auto work = hand_out(shard);  // a study's number, then what was found of it
    for (std::size_t i = 0; i + 1 < work.size(); i += 2) {
      auto study = preparer_.prepare(study_of(work[i + 1]), facts_[std::stoull(work[i])], files_, report);
      if (study) mine.push_back(std::move(*study));
    }
    std::ranges::sort(mine, {}, &study::StoredStudy::key);
    const auto [positions, all] = places(mine);
    const auto reports = comm::gather_texts(group_, report.lines());
    if (root()) {
      std::string lines;
      for (const auto& text : reports) lines += text;
      journal_->write_part(part_of(shard), lines);  // before the shard appears: no shard is without its report
    }
    if (all > 0) io::write_shard(group_, job_.set_folder, files_++, description_, mine, positions);
  }

  // Where this rank's studies stand among those of all ranks, by key; and how many there are.
  std::pair<std::vector<std::int64_t>, std::int64_t> places(const std::vector<study::StoredStudy>& mine) {
    std::string keys;
    for (const auto& study : mine) append(keys, study.key);
    std::vector<std::string> all;
    for (const auto& list : comm::gather_texts(group_, keys)) std::ranges::move(items(list), std::back_inserter(all));
    std::ranges::sort(all);
    std::vector<std::int64_t> positions;
    for (const auto& study : mine) positions.push_back(std::ranges::lower_bound(all, study.key) - all.begin());
    return {positions, static_cast<std::int64_t>(all.size())};
  }

  Result finish() {
    STRATA_CHECK(files_ > 0, data, "ingest", "not one study could be read", "see the report in the private folder");
    if (root()) result_.tally = journal_->close();
    io::finish_set(group_, job_.set_folder, files_);
    if (root()) journal_->remove_parts();
    result_.shards = files_;
    return result_;
  }

  Result finished_already() {
    if (root()) {
      journal_->remove_parts();
      result_.tally = journal_->read_report();
      result_.shards = static_cast<std::int64_t>(io::finished_shards(job_.set_folder).size());
    }
    return result_;
  }

  comm::Communicator& group_;
  const Job& job_;
  const std::function<void(const Progress&)>& progress_;
  Preparer preparer_;
  io::SetDescription description_;
  std::optional<Journal> journal_;
  Report headers_;
  Index index_;
  std::map<std::string, std::string> own_;  // key → found_study.hpp's text, of this rank's planned studies
  std::vector<PlannedStudy> studies_;       // of all ranks
  std::vector<Facts> facts_;                // of studies_
  std::vector<ShardRange> shards_;
  std::int64_t files_ = 0;  // shards written so far
  Result result_;
};

}  // namespace

Result ingest(comm::Communicator& group, const Job& job, const std::function<void(const Progress&)>& progress) {
  return Ingest(group, job, progress).run();
}

}  // namespace strata::ingest
