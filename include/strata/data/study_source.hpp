// SPDX-License-Identifier: Apache-2.0
//
// Narrow interface 3a: where training reads studies. A source is a set of studies on one grid; it is opened once, its
// table lies in memory, and voxels are read in their stored integer type, whole slices at a time, into memory of the
// caller. Sources know nothing of order, ranks or batches: samplers and loaders do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/study/scan.hpp"

namespace strata::data {

// Slices [first, first + count) of every channel of a scan, into `into`: [channels, count, H, W] in the set's type.
struct ReadRequest {
  std::int64_t study = 0, scan = 0;
  std::int64_t first_slice = 0, slices = 0;
  std::span<std::byte> into;
};

class StudySource {
 public:
  virtual ~StudySource() = default;

  virtual const std::string& name() const = 0;  // for people: the set's folder
  virtual std::int64_t studies() const = 0;
  virtual const study::StoredGrid& grid() const = 0;
  virtual const std::vector<std::string>& label_names() const = 0;

  virtual std::int64_t scans(std::int64_t study) const = 0;
  virtual std::string_view key(std::int64_t study) const = 0;             // pseudonym, unique in the set
  virtual std::string_view split(std::int64_t study) const = 0;           // "train", ...
  virtual std::int64_t fold(std::int64_t study) const = 0;                // -1: none
  virtual std::span<const float> labels(std::int64_t study) const = 0;    // NaN: not known
  virtual std::vector<std::string> report(std::int64_t study) const = 0;  // sentences

  // Fills all of them. May be called from any number of threads at once unless collective(); an unreadable or damaged
  // file is a data error that names it.
  virtual void read(std::span<const ReadRequest> requests) const = 0;

  // True where ranks read together: every rank then calls read() in the same order from one thread, with no requests if
  // it has none.
  virtual bool collective() const { return false; }
};

}  // namespace strata::data
