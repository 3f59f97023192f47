// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/segments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "strata/base/error.hpp"

namespace strata::ops {

Segments Segments::from_offsets(const Context& ctx, std::vector<std::int64_t> offsets) {
  STRATA_CHECK(!offsets.empty() && offsets.front() == 0 && std::ranges::is_sorted(offsets), internal, "segments",
               "offsets must begin with 0 and never fall");
  STRATA_CHECK(offsets.back() <= std::numeric_limits<std::int32_t>::max(), usage, "segments",
               fmt::format("{} tokens in one batch are too many", offsets.back()), "use fewer studies a micro-batch");
  Segments segments;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    const auto length = offsets[i] - offsets[i - 1];
    segments.longest_ = std::max(segments.longest_, length);
    segments.pairs_ += length * length;
  }
  const std::vector<std::int32_t> narrow(offsets.begin(), offsets.end());
  segments.device_ = ctx.tensor(narrow, {static_cast<std::int64_t>(narrow.size())});
  segments.host_ = std::make_shared<const std::vector<std::int64_t>>(std::move(offsets));
  return segments;
}

Segments Segments::from_lengths(const Context& ctx, const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const auto length : lengths) offsets.push_back(offsets.back() + length);
  return from_offsets(ctx, std::move(offsets));
}

Segments Segments::uniform(const Context& ctx, std::int64_t count, std::int64_t length) {
  return from_lengths(ctx, std::vector<std::int64_t>(static_cast<std::size_t>(count), length));
}

}  // namespace strata::ops
