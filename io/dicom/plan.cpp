// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "io/dicom/dicom.hpp"

namespace strata::io::dicom {
namespace {

using study::Vec3;

constexpr double kSamePlace = 0.01;      // mm along the normal
constexpr double kSameDirection = 1e-3;  // of a unit vector's components
constexpr double kSameSpacing = 1e-3;    // relative
constexpr double kSameEcho = 0.01;       // ms
constexpr double kSameBValue = 1;        // s/mm²

struct Image {
  const FileRecord* file = nullptr;
  const Frame* frame = nullptr;
  double place = 0;  // along the normal of its stack
};
using Images = std::vector<Image>;

double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

bool near(const Vec3& a, const Vec3& b) {
  for (std::size_t i = 0; i < 3; ++i)
    if (std::abs(a[i] - b[i]) > kSameDirection) return false;
  return true;
}
bool near(double a, double b) { return std::abs(a - b) <= kSameSpacing * std::abs(a); }

bool same_stack(const Image& a, const Image& b) {
  const Frame &f = *a.frame, &g = *b.frame;
  return a.file->rows == b.file->rows && a.file->columns == b.file->columns && near(f.row, g.row) &&
         near(f.column, g.column) && near(f.spacing_h, g.spacing_h) && near(f.spacing_w, g.spacing_w) &&
         f.echo_number == g.echo_number && std::abs(f.echo_time - g.echo_time) <= kSameEcho &&
         std::abs(f.b_value - g.b_value) <= kSameBValue && f.temporal_position == g.temporal_position &&
         f.stack_id == g.stack_id && a.file->pixels.inverted == b.file->pixels.inverted &&
         a.file->frame_of_reference_uid == b.file->frame_of_reference_uid;
}

// What a scanner's own order is, and total: paths differ.
bool acquired_before(const Image& a, const Image& b) {
  const auto key = [](const Image& i) {
    return std::tie(i.frame->temporal_position, i.frame->trigger_time, i.frame->acquisition_number,
                    i.file->instance_number, i.file->sop_instance_uid, i.file->path, i.frame->index, i.frame->top,
                    i.frame->left);
  };
  return key(a) < key(b);
}

class Planner {
 public:
  Planner(const PlanOptions& options, std::vector<LeftOut>& left_out) : options_(options), left_out_(left_out) {}

  void leave_out(const FileRecord& record, Reason reason, std::string detail, std::int64_t images = 1) {
    left_out_.push_back(
        {record.path, reason, std::move(detail), record.tags.study_uid, record.tags.series_uid, images});
  }

  void leave_out(const Images& images, Reason reason, const std::string& detail) {
    std::map<std::string_view, std::pair<const FileRecord*, std::int64_t>> files;  // one line a file
    for (const Image& image : images) {
      auto& [file, count] = files[image.file->path];
      file = image.file;
      ++count;
    }
    for (const auto& [path, file] : files) leave_out(*file.first, reason, detail, file.second);
  }

  void plan_series(Images images) {
    std::ranges::sort(images, acquired_before);
    std::vector<Images> stacks;
    for (const Image& image : images) {
      const auto fits = [&](const Images& stack) { return same_stack(stack.front(), image); };
      const auto found = std::find_if(stacks.rbegin(), stacks.rend(), fits);
      if (found != stacks.rend())
        found->push_back(image);
      else
        stacks.push_back({image});
    }
    for (Images& stack : stacks) plan_stack(std::move(stack));
  }

  std::vector<StackPlan> plans;

 private:
  void plan_stack(Images images);
  void split(Images images, int discriminator);
  void split_by_rank(const Images& images);
  void finish(Images images);

  const PlanOptions& options_;
  std::vector<LeftOut>& left_out_;
};

std::int64_t count_places(const Images& sorted) {
  std::int64_t places = sorted.empty() ? 0 : 1;
  for (std::size_t i = 1; i < sorted.size(); ++i) places += sorted[i].place - sorted[i - 1].place > kSamePlace;
  return places;
}

void sort_by_place(Images& images) {
  std::ranges::sort(images, [](const Image& a, const Image& b) {
    return a.place != b.place ? a.place < b.place : acquired_before(a, b);
  });
}

void Planner::plan_stack(Images images) {
  const Frame& first = *images.front().frame;
  const Vec3 normal = cross(first.row, first.column);
  for (Image& image : images) image.place = dot(image.frame->position, normal);
  sort_by_place(images);
  if (images.size() > 1 && count_places(images) == 1)
    return leave_out(images, Reason::not_a_volume, fmt::format("{} images at one position", images.size()));
  split(std::move(images), 0);
}

// Images that repeat positions: by what they are made of, if each part then covers the volume, else by their order.
void Planner::split(Images images, int discriminator) {
  const std::int64_t places = count_places(images);
  if (places == static_cast<std::int64_t>(images.size())) return finish(std::move(images));
  constexpr int kDiscriminators = 4;
  if (discriminator == kDiscriminators) return split_by_rank(images);
  const auto value_of = [&](const Image& image) -> std::pair<double, std::string_view> {
    switch (discriminator) {
      case 0: return {0, std::string_view(reinterpret_cast<const char*>(&image.frame->frame_type), 8)};
      case 1: return {0, image.file->tags.convolution_kernel};
      case 2: return {static_cast<double>(image.frame->acquisition_number), {}};
      default: return {image.frame->trigger_time, {}};
    }
  };
  std::map<std::pair<double, std::string_view>, Images> parts;
  for (const Image& image : images) parts[value_of(image)].push_back(image);
  const auto covers = [&](const auto& part) { return 2 * count_places(part.second) > places; };
  if (parts.size() < 2 || !std::ranges::all_of(parts, covers)) return split(std::move(images), discriminator + 1);
  for (auto& [value, part] : parts) split(std::move(part), discriminator + 1);
}

// The n-th image of every position makes the n-th volume, if there is one of each.
void Planner::split_by_rank(const Images& images) {
  std::vector<Images> places;
  for (const Image& image : images) {
    if (places.empty() || image.place - places.back().back().place > kSamePlace) places.emplace_back();
    places.back().push_back(image);
  }
  std::size_t complete = places.front().size(), most = 0;
  for (Images& place : places) {
    std::ranges::sort(place, acquired_before);
    complete = std::min(complete, place.size()), most = std::max(most, place.size());
  }
  for (std::size_t rank = 0; rank < most; ++rank) {
    Images volume;
    for (const Images& place : places)
      if (rank < place.size()) volume.push_back(place[rank]);
    if (rank < complete)
      finish(std::move(volume));
    else
      leave_out(volume, Reason::repeated_position, "its position is taken by another image of the volume");
  }
}

StackPlan plan_of(const Images& images, const PlanOptions& options) {
  StackPlan plan;
  plan.options = options;
  plan.tags = images.front().file->tags;
  plan.tags.instance_uids.clear();
  std::map<const FileRecord*, std::int32_t> index;
  for (const Image& image : images) {
    const auto [found, added] = index.emplace(image.file, static_cast<std::int32_t>(plan.files.size()));
    if (added) {
      FileRecord file = *image.file;
      file.frames.clear();
      plan.files.push_back(std::move(file));
      plan.tags.instance_uids.push_back(image.file->sop_instance_uid);
    }
    std::vector<Frame>& frames = plan.files[static_cast<std::size_t>(found->second)].frames;
    plan.slices.push_back({found->second, static_cast<std::int32_t>(frames.size())});
    frames.push_back(*image.frame);
  }
  const Frame& first = *images.front().frame;
  plan.tags.echo_time = first.echo_time, plan.tags.echo_number = first.echo_number;
  plan.tags.b_value = first.b_value, plan.tags.temporal_position = first.temporal_position;
  return plan;
}

void Planner::finish(Images images) {
  const auto slices = static_cast<std::int64_t>(images.size());
  const FileRecord& file = *images.front().file;
  if (slices < options_.min_slices)
    return leave_out(images, Reason::too_few_slices,
                     fmt::format("{} slices, at least {} are wanted", slices, options_.min_slices));
  if (slices > options_.max_voxels / file.rows / file.columns)
    return leave_out(images, Reason::too_large,
                     fmt::format("{} slices of {} x {}, at most {} voxels are wanted", slices, file.rows, file.columns,
                                 options_.max_voxels));
  sort_by_place(images);
  plans.push_back(plan_of(images, options_));
}

// Of copies the one that is quickest to read and certainly lossless.
int encoding_rank(const FileRecord& record) {
  if (record.pixels.native_offset) return 0;
  for (const std::string_view lossless : {"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
                                          "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"})
    if (record.transfer_syntax == lossless) return 1;
  return 2;
}

// Equal for copies of one instance, whatever their encoding; some exporters give one UID to many images.
std::string identity_of(const FileRecord& record) {
  std::string key = record.sop_instance_uid;
  const auto add = [&](const auto& value) {
    key.append(1, '|').append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  add(record.rows), add(record.columns), add(record.pixels.frames);
  add(record.frames.front().position), add(record.frames.front().row), add(record.frames.front().column);
  return key;
}

}  // namespace

std::vector<StackPlan> plan_stacks(std::vector<FileRecord> records, const PlanOptions& options,
                                   std::vector<LeftOut>& left_out) {
  std::ranges::sort(records, [](const FileRecord& a, const FileRecord& b) {
    return std::make_tuple(encoding_rank(a), std::string_view(a.path)) <
           std::make_tuple(encoding_rank(b), std::string_view(b.path));
  });
  Planner planner(options, left_out);
  std::set<std::string> seen;
  std::map<std::pair<int, std::string_view>, Images> series;
  for (const FileRecord& record : records) {
    if (!record.is_image()) {
      planner.leave_out(record, record.reason, record.detail);
    } else if (!record.sop_instance_uid.empty() && !seen.insert(identity_of(record)).second) {
      planner.leave_out(record, Reason::duplicate, "another file holds the same SOP instance",
                        std::ssize(record.frames));
    } else {
      Images& images = series[{record.tags.series_number, record.tags.series_uid}];
      for (const Frame& frame : record.frames) images.push_back({&record, &frame});
    }
  }
  for (auto& [key, images] : series) planner.plan_series(std::move(images));
  return std::move(planner.plans);
}

}  // namespace strata::io::dicom
