// SPDX-License-Identifier: Apache-2.0
//
// What must hold between the fields of a run's configuration, each rule by itself. A rule says what is wrong and what
// to do about it, or nothing.
#pragma once

#include <span>
#include <string>

#include "app/run_config.hpp"

namespace strata::app {

using RunRule = std::string (*)(const RunConfig&);

std::span<const RunRule> run_rules();

}  // namespace strata::app
