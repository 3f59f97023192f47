// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/prepare.hpp"

#include <algorithm>
#include <filesystem>
#include <variant>

#include "io/nifti/nifti.hpp"
#include "io/npy/npy_volume.hpp"
#include "strata/base/error.hpp"

namespace strata::ingest {

using io::IdentityKind;

struct Preparer::Source {
  study::ScanTags tags;
  std::variant<io::dicom::StackPlan, std::string> from;  // or the path of a volume file

  std::int64_t work() const {
    if (const auto* stack = std::get_if<io::dicom::StackPlan>(&from))
      return static_cast<std::int64_t>(stack->slices.size()) * stack->rows() * stack->columns();
    std::error_code unknown;
    const auto bytes = std::filesystem::file_size(std::get<std::string>(from), unknown);
    return unknown ? 0 : static_cast<std::int64_t>(bytes);
  }
};

namespace {

std::int64_t scans_a_volume(const study::Profile& profile) {
  for (const auto& step : profile.steps)
    if (const auto* windows = std::get_if<study::Windows>(&step))
      return static_cast<std::int64_t>(windows->scans.size());
  return 1;
}

// A volume file's header names no patient and no series: its study is the folder, its series the file.
study::ScanTags tags_of(const FoundStudy& found, const std::string& path, const study::Profile& profile) {
  study::ScanTags tags;
  tags.study_uid = tags.patient_id = found.id;
  tags.series_uid = found.id + "/" + path.substr(path.find_last_of('/') + 1);
  if (profile.modalities.size() == 1) tags.modality = profile.modalities.front();
  return tags;
}

std::string patient_of(const study::ScanTags& tags) {
  // Without an ID nothing says that two studies are one person's.
  return tags.patient_id.empty() ? tags.study_uid : tags.patient_id;
}

}  // namespace

Preparer::Preparer(study::Profile profile, io::dicom::PlanOptions options, study::Selection selection,
                   io::IdentityKey key)
    : profile_(std::move(profile)),
      grid_(study::grid_of(profile_)),
      scans_a_volume_(scans_a_volume(profile_)),
      options_(options),
      selection_(std::move(selection)),
      key_(key) {}

std::string Preparer::pseudonym(io::IdentityKind kind, const std::string& identifier) const {
  return identifier.empty() ? "" : key_.pseudonym(kind, identifier);
}

std::vector<Preparer::Source> Preparer::sources(const FoundStudy& found, Report& report) const {
  std::vector<Source> wanted;
  const std::string key = pseudonym(IdentityKind::study, found.id);
  const auto judge = [&](Source source, const std::string& path, std::int64_t images) {
    const auto reason = study::judge(selection_, source.tags, images);
    if (reason == study::Unwanted::no) return wanted.push_back(std::move(source));
    report.image(path, key, pseudonym(IdentityKind::series, source.tags.series_uid), name_of(reason), {}, images);
  };
  std::vector<io::dicom::LeftOut> left_out;
  for (auto& stack : io::dicom::plan_stacks(found.records, options_, left_out)) {
    const std::string path = stack.files.front().path;
    const auto images = static_cast<std::int64_t>(stack.slices.size());
    judge({stack.tags, std::move(stack)}, path, images);
  }
  for (const auto& path : found.volumes) judge({tags_of(found, path, profile_), path}, path, 1);
  for (const auto& out : left_out)
    report.image(out.path, key, pseudonym(IdentityKind::series, out.series_uid), io::dicom::name_of(out.reason),
                 out.detail, out.images);
  return wanted;
}

std::optional<Preparer::Plan> Preparer::plan(const FoundStudy& found, Report& report) const {
  Plan plan;
  plan.study.key = pseudonym(IdentityKind::study, found.id);
  const auto wanted = sources(found, report);
  if (wanted.empty()) {
    report.left_out_study(plan.study.key, "no_scans");
    return {};
  }
  const study::ScanTags& tags = wanted.front().tags;
  plan.ids = {found.id, tags.accession_number, tags.patient_id};
  plan.study.stored_bytes = static_cast<std::int64_t>(wanted.size()) * scans_a_volume_ * grid_.scan_bytes();
  for (const auto& source : wanted) plan.study.work += source.work();
  return plan;
}

std::optional<study::StoredStudy> Preparer::prepare(const FoundStudy& found, const Facts& facts, std::int64_t shard,
                                                    Report& report) const {
  Report planned;  // said already, when the study was planned
  const auto wanted = sources(found, planned);
  if (wanted.empty()) return {};
  study::StoredStudy study{.key = pseudonym(IdentityKind::study, found.id),
                           .patient = pseudonym(IdentityKind::patient, patient_of(wanted.front().tags)),
                           .split = facts.split,
                           .fold = facts.fold,
                           .report = facts.report,
                           .labels = facts.labels,
                           .scans = {}};
  for (const auto& source : wanted) read(source, study.key, shard, study, report);
  if (study.scans.empty()) {
    report.left_out_study(study.key, "no_scans", "none of its scans could be read");
    return {};
  }
  report.kept_study(study.key, shard, static_cast<std::int64_t>(study.scans.size()));
  return study;
}

void Preparer::read(const Source& source, const std::string& key, std::int64_t shard, study::StoredStudy& study,
                    Report& report) const {
  const std::string series = pseudonym(IdentityKind::series, source.tags.series_uid);
  const auto* stack = std::get_if<io::dicom::StackPlan>(&source.from);
  const std::string& path = stack ? stack->files.front().path : std::get<std::string>(source.from);
  try {
    if (stack) {
      io::dicom::StackRead read = io::dicom::read_stack(*stack);
      for (const auto& out : read.left_out)
        report.image(out.path, key, series, io::dicom::name_of(out.reason), out.detail, out.images);
      store(study::volume_of(std::move(read.stack)), read.tags, shard, study, report);
    } else if (path.ends_with(".npy")) {
      store({.volume = io::read_npy_volume(path)}, source.tags, shard, study, report);
    } else {
      io::NiftiImage image = io::read_nifti(path);
      for (const auto& note : image.notes) report.note(key, series, note);
      store({.volume = study::straighten(std::move(image.volumes.front()))}, source.tags, shard, study, report);
    }
  } catch (const Error& error) {
    // What a file holds costs this scan; anything else (memory, disk, a bug) ends the ingest.
    if (error.kind() != ErrorKind::data) throw;
    report.image(path, key, series, "unreadable_volume", error.message(),
                 stack ? static_cast<std::int64_t>(stack->slices.size()) : 1);
  }
}

void Preparer::store(const study::StackedVolume& volume, const study::ScanTags& tags, std::int64_t shard,
                     study::StoredStudy& study, Report& report) const {
  const std::string series = pseudonym(IdentityKind::series, tags.series_uid);
  auto scans = study::apply(profile_, volume, tags);
  for (auto& scan : scans) {
    scan.series = series;
    for (const auto& uid : tags.instance_uids) scan.instances.push_back(pseudonym(IdentityKind::instance, uid));
    scan.description_hash = key_.description_hash(tags.series_description);
  }
  report.scan({.study = study.key,
               .series = series,
               .shard = shard,
               .slices = volume.source_slices > 0 ? volume.source_slices : volume.volume.geometry.extents[0],
               .missing = volume.missing_slices,
               .stored = static_cast<std::int64_t>(scans.size()),
               .straightened = volume.straightened,
               .regridded = volume.regridded});
  std::ranges::move(scans, std::back_inserter(study.scans));
}

}  // namespace strata::ingest
