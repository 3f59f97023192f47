// SPDX-License-Identifier: Apache-2.0
#include "optim/names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata::optim {

std::size_t parse_name(std::string_view subject, std::string_view what, std::string_view name,
                       std::span<const std::string_view> names) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const auto near = nearest_name(name, names);
  fail(ErrorKind::usage, subject, fmt::format("unknown {} '{}'", what, name),
       near.empty() ? fmt::format("use one of {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

}  // namespace strata::optim
