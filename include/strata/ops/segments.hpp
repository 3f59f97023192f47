// SPDX-License-Identifier: Apache-2.0
//
// Sequences of different lengths packed one behind the other along the first axis of a tensor: sequence i is rows
// [offsets[i], offsets[i+1]). Offsets stand on the host (to plan) and on the device (to compute); both are immutable
// and shared, so a Segments is cheap to copy.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::ops {

class Segments {
 public:
  Segments() = default;
  static Segments from_lengths(const Context& ctx, const std::vector<std::int64_t>& lengths);
  static Segments from_offsets(const Context& ctx, std::vector<std::int64_t> offsets);  // ascending, begins with 0
  static Segments uniform(const Context& ctx, std::int64_t count, std::int64_t length);

  bool defined() const { return host_ != nullptr; }
  std::int64_t count() const { return static_cast<std::int64_t>(host_->size()) - 1; }
  std::int64_t total() const { return host_->back(); }
  std::int64_t begin(std::int64_t i) const { return (*host_)[static_cast<std::size_t>(i)]; }
  std::int64_t length(std::int64_t i) const { return begin(i + 1) - begin(i); }
  std::int64_t longest() const { return longest_; }
  std::int64_t pairs() const { return pairs_; }  // sum of length²: what self-attention costs
  const std::vector<std::int64_t>& offsets() const { return *host_; }
  const Tensor& device_offsets() const { return device_; }  // i32 [count + 1]

 private:
  std::shared_ptr<const std::vector<std::int64_t>> host_;
  Tensor device_;
  std::int64_t longest_ = 0;
  std::int64_t pairs_ = 0;
};

}  // namespace strata::ops
