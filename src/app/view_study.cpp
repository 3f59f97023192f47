// SPDX-License-Identifier: Apache-2.0
#include "app/view_study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "io/dicom/dicom.hpp"
#include "io/nifti/nifti.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using io::dicom::FileRecord;

const ViewWindow kBrain{"brain", 40, 80};

struct FoundStudy {
  std::string uid;
  std::vector<FileRecord> records;
};

// By study, in the order of the first file of each.
std::vector<FoundStudy> find_studies(const std::string& path) {
  io::dicom::register_codecs();
  std::vector<FoundStudy> studies;
  std::map<std::string, std::size_t> places;
  for (const auto& file : io::dicom::list_files(path)) {
    FileRecord record = io::dicom::read_header(file);
    if (record.tags.study_uid.empty()) continue;
    const auto [at, added] = places.emplace(record.tags.study_uid, studies.size());
    if (added) studies.push_back({record.tags.study_uid, {}});
    studies[at->second].records.push_back(std::move(record));
  }
  return studies;
}

std::size_t pick(const std::vector<FoundStudy>& studies, const std::string& which) {
  if (which.empty()) return 0;
  for (std::size_t i = 0; i < studies.size(); ++i)
    if (studies[i].uid == which || studies[i].records.front().tags.accession_number == which) return i;
  const bool number = is_number(which) && std::stoull(which) < studies.size();
  STRATA_CHECK(number, data, "view", fmt::format("there is no study {} among {}", io::printable(which), studies.size()),
               "give a number from 0 on, a study UID or an accession number");
  return std::stoull(which);
}

ViewScan scan_of(const io::dicom::StackPlan& plan) {
  io::dicom::StackRead read = io::dicom::read_stack(plan);
  study::SliceStack& stack = read.stack;
  ViewScan scan;
  const std::int64_t slices = stack.slices();
  scan.geometry.extents = {slices, stack.height, stack.width};
  scan.geometry.origin = stack.origins.front();
  scan.geometry.steps = {study::Vec3{}, stack.step_h, stack.step_w};
  for (std::size_t i = 0; i < 3; ++i)
    scan.geometry.steps[0][i] =
        slices > 1 ? (stack.origins.back()[i] - stack.origins.front()[i]) / static_cast<double>(slices - 1)
        : i == 2   ? 1
                   : 0;
  if (stack.padding && read.tags.modality == "CT")  // black, not the scanner's code for nothing
    std::ranges::replace(stack.voxels, *stack.padding, -1024.0F);
  scan.voxels = std::move(stack.voxels);
  scan.origins = std::move(stack.origins);
  const auto& tags = read.tags;
  scan.caption = fmt::format("series {} {} {} - {} slices of {:.4g} mm, {} x {}", tags.series_number, tags.modality,
                             tags.convolution_kernel, slices, tags.slice_thickness, stack.width, stack.height);
  scan.shown = {tags.modality == "CT" ? kBrain : percentile_window(scan)};
  return scan;
}

}  // namespace

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

ViewWindow percentile_window(const ViewScan& scan) {
  std::vector<float> sorted = scan.voxels;
  const auto at = [&](double share) {
    const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), place, sorted.end());
    return static_cast<double>(*place);
  };
  const double low = at(0.005), high = at(0.995);
  return {"percentiles 0.5 to 99.5", 0.5 * (low + high), std::max(high - low, 1e-6)};
}

ViewStudy view_dicom(const std::string& path, const std::string& which) {
  std::vector<FoundStudy> studies = find_studies(path);
  STRATA_CHECK(!studies.empty(), data, "view", fmt::format("{} holds no DICOM study", io::printable(path, 400)),
               "give a folder of DICOM files, a shard set or a NIfTI file");
  const std::size_t chosen = pick(studies, which);
  std::vector<io::dicom::LeftOut> left_out;
  const auto plans = io::dicom::plan_stacks(std::move(studies[chosen].records), {}, left_out);
  ViewStudy study{.title = fmt::format("DICOM study {} of 0..{}", chosen, studies.size() - 1)};
  for (const auto& plan : plans) study.scans.push_back(scan_of(plan));
  std::map<std::string_view, std::int64_t> reasons;
  for (const auto& one : left_out) reasons[io::dicom::name_of(one.reason)] += one.images;
  for (const auto& [reason, images] : reasons)
    study.notes.push_back(fmt::format("left out: {} ({} images)", reason, images));
  STRATA_CHECK(!study.scans.empty(), data, "view", fmt::format("study {} holds no volume", chosen),
               study.notes.empty() ? std::string("choose another with --study") : study.notes.front());
  return study;
}

ViewStudy view_nifti(const std::string& path) {
  io::NiftiImage image = io::read_nifti(path, {.four_d = io::FourD::split});
  ViewStudy study{.title = std::filesystem::path(path).filename().string(), .notes = image.notes};
  for (auto& volume : image.volumes) {
    ViewScan scan{.geometry = volume.geometry, .voxels = std::move(volume.voxels)};
    const auto& e = scan.geometry.extents;
    scan.caption = fmt::format("NIfTI {} - {} slices, {} x {}", image.type, e[0], e[2], e[1]);
    const bool hounsfield = *std::ranges::min_element(scan.voxels) <= -900;
    scan.shown = {hounsfield ? kBrain : percentile_window(scan)};
    study.scans.push_back(std::move(scan));
  }
  return study;
}

}  // namespace strata::app
