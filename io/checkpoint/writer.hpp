// SPDX-License-Identifier: Apache-2.0
//
// A checkpoint from the memories of all ranks to a file of this name, whole or not at all.
#pragma once

#include <string>

#include "strata/comm/communicator.hpp"
#include "strata/io/checkpoint_store.hpp"

namespace strata::io {

// Collective. `temporary` and `path` lie in one folder, which exists.
void write_checkpoint(comm::Communicator& comm, Context& ctx, const std::string& temporary, const std::string& path,
                      std::int64_t step, const StateDict& state, const CheckpointTexts& texts);

}  // namespace strata::io
