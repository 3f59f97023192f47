// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "backends/cpu/cpu.hpp"

namespace strata::cpu {

// `wanted`, else what the environment says, else the best; throws for a set that is unknown or absent.
CpuIsa choose_isa(std::optional<CpuIsa> wanted);

}  // namespace strata::cpu
