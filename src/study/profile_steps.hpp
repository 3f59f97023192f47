// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace strata::study {

std::span<const std::string_view> step_names();  // by their place in Step

}  // namespace strata::study
