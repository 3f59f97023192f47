// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "io/dicom/convert.hpp"
#include "io/dicom/decode.hpp"
#include "io/dicom/dicom.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io::dicom {
namespace {

using study::Vec3;

Vec3 scaled(const Vec3& v, double by) { return {v[0] * by, v[1] * by, v[2] * by}; }

// One value stands for padding in the whole stack: what the first slice that declares any rescales it to.
std::optional<float> padding_of(const StackPlan& plan) {
  for (std::size_t slice = 0; slice < plan.slices.size(); ++slice) {
    const FileRecord& file = plan.files[static_cast<std::size_t>(plan.slices[slice].file)];
    if (file.pixels.padding) return rescaled(*file.pixels.padding, file.pixels, plan.frame(slice));
  }
  return std::nullopt;
}

class StackReader {
 public:
  explicit StackReader(const StackPlan& plan)
      : plan_(plan), padding_(padding_of(plan)), area_(static_cast<std::size_t>(plan.rows() * plan.columns())) {}

  StackRead read() {
    StackRead result;
    describe(result.stack);
    result.stack.voxels.reserve(area_ * plan_.slices.size());
    for (std::size_t slice = 0; slice < plan_.slices.size(); ++slice) read_slice(slice, result);
    if (any_padding_) result.stack.padding = padding_;
    name_instances(result);
    return result;
  }

 private:
  const FileRecord& file_of(std::size_t slice) const {
    return plan_.files[static_cast<std::size_t>(plan_.slices[slice].file)];
  }

  void describe(study::SliceStack& stack) const {
    const Frame& first = plan_.frame(0);
    stack.height = plan_.rows(), stack.width = plan_.columns();
    stack.step_h = scaled(first.column, first.spacing_h), stack.step_w = scaled(first.row, first.spacing_w);
  }

  // The volume grows by a slice a time, so that its new zeros are still in the cache when values replace them.
  void read_slice(std::size_t slice, StackRead& result) {
    std::vector<float>& voxels = result.stack.voxels;
    const std::size_t begin = voxels.size();
    try {
      voxels.resize(begin + area_);
      decode(slice, std::span(voxels).subspan(begin));
      result.stack.origins.push_back(plan_.frame(slice).position);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::internal) throw;
      leave_out(slice, error.message(), result);
    } catch (const std::exception&) {  // DCMTK lets those of its strings through
      reader_.reset();
      leave_out(slice, "the pixel data cannot be decoded", result);
    }
  }

  void leave_out(std::size_t slice, const std::string& why, StackRead& result) {
    const FileRecord& file = file_of(slice);
    result.stack.voxels.resize(area_ * result.stack.origins.size());
    broken_.push_back(slice);
    open_frame_ = -1;
    if (first_error_.empty()) first_error_ = why;
    result.left_out.push_back({file.path, Reason::broken_pixels, why, file.tags.study_uid, file.tags.series_uid, 1});
    judge_broken();
  }

  void decode(std::size_t slice, std::span<float> place) {
    const StackSlice& which = plan_.slices[slice];
    const FileRecord& file = file_of(slice);
    const Frame& frame = plan_.frame(slice);
    if (!reader_ || open_file_ != which.file) {
      reader_.reset();
      open_frame_ = -1;
      reader_.emplace(file);
      open_file_ = which.file;
    }
    if (open_frame_ != frame.index) {  // the tiles of a mosaic share a frame
      open_frame_ = -1;
      cells_ = reader_->frame(frame.index);
      open_frame_ = frame.index;
    }
    const StoredImage image{cells_, &file.pixels, &frame, file.rows, file.columns};
    any_padding_ |= convert(image, padding_.value_or(0), place);
  }

  // At once, so that a large broken file is not tried frame by frame.
  void judge_broken() const {
    const auto slices = static_cast<double>(plan_.slices.size()), broken = static_cast<double>(broken_.size());
    bool neighbours = false;
    for (std::size_t i = 1; i < broken_.size(); ++i) neighbours |= broken_[i] == broken_[i - 1] + 1;
    const bool few = broken <= std::max(1.0, plan_.options.broken_slices * slices) && !neighbours;
    if (few && slices - broken >= static_cast<double>(plan_.options.min_slices)) return;
    fail(ErrorKind::data, "dicom",
         fmt::format("{} or more of {} slices cannot be decoded, the first because {}", broken_.size(),
                     plan_.slices.size(), first_error_));
  }

  void name_instances(StackRead& result) const {
    result.tags = plan_.tags;
    if (broken_.empty()) return;
    std::vector<bool> used(plan_.files.size());
    for (std::size_t slice = 0; slice < plan_.slices.size(); ++slice)
      if (!std::ranges::binary_search(broken_, slice)) used[static_cast<std::size_t>(plan_.slices[slice].file)] = true;
    result.tags.instance_uids.clear();
    for (std::size_t file = 0; file < used.size(); ++file)
      if (used[file]) result.tags.instance_uids.push_back(plan_.files[file].sop_instance_uid);
  }

  const StackPlan& plan_;
  std::optional<float> padding_;
  std::size_t area_;
  std::optional<FrameReader> reader_;
  std::int32_t open_file_ = -1, open_frame_ = -1;
  std::span<const std::byte> cells_;
  bool any_padding_ = false;
  std::vector<std::size_t> broken_;
  std::string first_error_;
};

}  // namespace

StackRead read_stack(const StackPlan& plan) {
  STRATA_CHECK(!plan.slices.empty(), usage, "dicom", "a stack without slices cannot be read");
  return StackReader(plan).read();
}

}  // namespace strata::io::dicom
