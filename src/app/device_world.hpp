// SPDX-License-Identifier: Apache-2.0
//
// The ranks of a run with their devices: what the configuration's group "comm" says, carried out.
#pragma once

#include <memory>

#include "app/run_config.hpp"
#include "app/wiring.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::app {

// Collective. Several ranks with devices are watched: a call that is stuck there ends the job. The world and the
// backend outlive it.
std::shared_ptr<comm::Communicator> open_device_world(comm::Communicator& world,
                                                      const std::shared_ptr<Backend>& backend,
                                                      const CommSettings& settings);

}  // namespace strata::app
