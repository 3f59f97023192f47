// SPDX-License-Identifier: Apache-2.0
//
// Label sets by name: "cq500" is configs/eval/cq500.yaml; a file of one's own by its path.
#pragma once

#include <string>
#include <vector>

#include "strata/engine/zero_shot.hpp"

namespace strata::app {

// Overrides as for a run: "tasks[0].threshold=fixed", "templates=[\"{}\"]". An unknown name is a usage error with the
// nearest one.
engine::ZeroShotSpec read_label_set(const std::string& name, const std::vector<std::string>& overrides = {});

}  // namespace strata::app
