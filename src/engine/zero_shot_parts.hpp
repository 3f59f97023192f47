// SPDX-License-Identifier: Apache-2.0
//
// What a label set leaves to defaults, made explicit.
#pragma once

#include <string>
#include <vector>

#include "strata/engine/zero_shot.hpp"

namespace strata::engine {

std::vector<ZeroShotTask> tasks_of(const ZeroShotSpec& spec);  // one of all classes where none is named
// Which of the label set's classes, in the task's order; names that there are not are left out.
std::vector<std::size_t> classes_of(const ZeroShotSpec& spec, const ZeroShotTask& task);
std::vector<std::string> columns_of(const ZeroShotClass& one);

}  // namespace strata::engine
