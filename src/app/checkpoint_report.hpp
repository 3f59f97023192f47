// SPDX-License-Identifier: Apache-2.0
//
// What strata inspect says of a checkpoint, as JSON and as text for people.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"

namespace strata::app {

// `damaged`: names of the damaged tensors; nothing: not verified.
nlohmann::ordered_json report_checkpoint(const io::CheckpointFile& stored,
                                         const std::optional<std::vector<std::string>>& damaged);
std::string checkpoint_report_text(const nlohmann::ordered_json& report);

}  // namespace strata::app
