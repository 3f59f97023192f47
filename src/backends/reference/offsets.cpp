// SPDX-License-Identifier: Apache-2.0
#include "backends/reference/offsets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {

std::vector<std::int64_t> load_offsets(std::string_view op, const Tensor& offsets, std::int64_t total) {
  auto values = load_integers(offsets);
  STRATA_CHECK(!values.empty() && values.front() == 0 && values.back() == total && std::ranges::is_sorted(values),
               internal, op,
               fmt::format("offsets must rise from 0 to {}, they run from {} to {}", total,
                           values.empty() ? -1 : values.front(), values.empty() ? -1 : values.back()));
  return values;
}

}  // namespace strata::reference
