// SPDX-License-Identifier: Apache-2.0
//
// Configuration files by name: "head_ct" of kind "data" is configs/data/head_ct.yaml.
#pragma once

#include <string>
#include <vector>

namespace strata::app {

// `name` itself where it is a file. Else <name>.yaml in STRATA_CONFIGS/kind, ./configs/kind, or configs/kind beside a
// folder that the program lies in. None: usage error with the nearest name there is.
std::string config_file(const std::string& kind, const std::string& name);

// The folders named above that there are, each with its groups of configurations (run, model, data, ...), in the order
// in which they are searched. None: usage error.
std::vector<std::string> config_folders();

}  // namespace strata::app
