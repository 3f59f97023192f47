// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/table.hpp"

namespace strata::io {

// Collective. `advice`: what errors say to try.
std::unique_ptr<CheckpointFile> open_stored(comm::Communicator& comm, const std::string& path,
                                            const std::string& advice);

}  // namespace strata::io
