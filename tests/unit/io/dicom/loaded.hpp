// SPDX-License-Identifier: Apache-2.0
//
// A folder of DICOM files brought to volumes, as the ingest command does it, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/dicom/dicom.hpp"

namespace strata::io::dicom {

struct Loaded {
  std::vector<StackPlan> plans;
  std::vector<StackRead> volumes;  // of the plans, in their order
  std::vector<LeftOut> left_out;
  std::size_t studies = 0;  // that have a volume

  std::int64_t count(Reason reason) const { return std::ranges::count(left_out, reason, &LeftOut::reason); }
};

inline std::vector<FileRecord> headers(const std::vector<std::string>& paths) {
  register_codecs();
  std::vector<FileRecord> records;
  for (const std::string& path : paths) records.push_back(read_header(path));
  return records;
}

inline Loaded load(const std::vector<FileRecord>& records, const PlanOptions& options = {}) {
  std::map<std::string, std::vector<FileRecord>> studies;
  for (const FileRecord& record : records) studies[record.tags.study_uid].push_back(record);
  Loaded loaded;
  for (auto& [uid, files] : studies) {
    const std::size_t before = loaded.plans.size();
    for (StackPlan& plan : plan_stacks(std::move(files), options, loaded.left_out))
      loaded.plans.push_back(std::move(plan));
    loaded.studies += loaded.plans.size() > before;
  }
  for (const StackPlan& plan : loaded.plans) loaded.volumes.push_back(read_stack(plan));
  return loaded;
}

inline Loaded load_folder(const std::string& folder, const PlanOptions& options = {}) {
  return load(headers(list_files(folder)), options);
}

inline double dot(const study::Vec3& a, const study::Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
inline study::Vec3 minus(const study::Vec3& a, const study::Vec3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }

inline study::Vec3 normal_of(const study::SliceStack& stack) {
  const study::Vec3 &a = stack.step_w, &b = stack.step_h;
  study::Vec3 n{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
  const double length = std::sqrt(dot(n, n));
  return {n[0] / length, n[1] / length, n[2] / length};
}

// Distances of neighbours along the normal.
inline std::vector<double> gaps_of(const study::SliceStack& stack) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < stack.origins.size(); ++i)
    gaps.push_back(dot(minus(stack.origins[i], stack.origins[i - 1]), normal_of(stack)));
  return gaps;
}

// Between the way from the first slice to the last and the normal.
inline double tilt_of(const study::SliceStack& stack) {
  const study::Vec3 way = minus(stack.origins.back(), stack.origins.front());
  return std::acos(dot(way, normal_of(stack)) / std::sqrt(dot(way, way))) * 180 / 3.14159265358979323846;
}

}  // namespace strata::io::dicom
