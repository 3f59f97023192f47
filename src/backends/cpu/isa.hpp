// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "backends/cpu/cpu.hpp"

namespace strata::cpu {

// `wanted`, else what the environment says, else the best that the system allows; throws for a set that is unknown or
// absent. For amx it asks the system, once and for the whole process, for the state that tiles need.
CpuIsa choose_isa(std::optional<CpuIsa> wanted);

}  // namespace strata::cpu
