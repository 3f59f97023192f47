// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace strata::optim {

// Index of `name` in `names`; unknown: usage error "[subject] unknown <what> 'name'" with the nearest one, or else all.
std::size_t parse_name(std::string_view subject, std::string_view what, std::string_view name,
                       std::span<const std::string_view> names);

}  // namespace strata::optim
