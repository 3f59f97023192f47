// SPDX-License-Identifier: Apache-2.0
#include "study/foreground.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

class Search {
 public:
  Search(const Volume& volume, float above)
      : above_(above), padding_(volume.padding), begin_(volume.geometry.extents) {}

  void row(std::int64_t d, std::int64_t h, const float* row, std::int64_t n) {
    std::int64_t first = 0, last = n;
    while (first < begin_[2] && !counts(row[first])) ++first;  // columns before what is known
    const bool known = found_ && d >= begin_[0] && d < end_[0] && h >= begin_[1] && h < end_[1];
    if (first == begin_[2]) {
      if (!known)
        while (first < n && !counts(row[first])) ++first;
      if (first == n) return;
      if (known) first = begin_[2];
    }
    while (last > std::max(end_[2], first) && !counts(row[last - 1])) --last;
    if (known && first >= begin_[2] && last <= end_[2]) return;
    grow(0, d, d + 1);
    grow(1, h, h + 1);
    grow(2, first, last);
    found_ = true;
  }

  bool found() const { return found_; }
  Box box() const { return {begin_, end_}; }

 private:
  bool counts(float x) const { return x > above_ && !(padding_ && x == *padding_); }
  void grow(std::size_t axis, std::int64_t begin, std::int64_t end) {
    begin_[axis] = std::min(begin_[axis], begin);
    end_[axis] = std::max(end_[axis], end);
  }

  float above_;
  std::optional<float> padding_;
  bool found_ = false;
  Extents3 begin_, end_{};
};

}  // namespace

Box foreground(const Volume& volume, double above) {
  const auto& [depth, height, width] = volume.geometry.extents;
  Search search(volume, static_cast<float>(above));
  for (std::int64_t d = 0; d < depth; ++d)
    for (std::int64_t h = 0; h < height; ++h) search.row(d, h, volume.voxels.data() + (d * height + h) * width, width);
  STRATA_CHECK(search.found(), data, "crop_foreground", fmt::format("no voxel is above {}", above),
               "is the scan empty, or its unit not the one the profile expects?");
  return search.box();
}

}  // namespace strata::study
