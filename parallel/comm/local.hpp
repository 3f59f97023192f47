// SPDX-License-Identifier: Apache-2.0
//
// The transport of one rank alone: a collective copies input to output, or does nothing in place. Host tensors, and
// those of the backend's device: their copies go through the backend, in stream order. For runs without other ranks;
// groups of one that come from a split keep the transport of their parent.
#pragma once

#include <memory>
#include <string>

#include "strata/comm/communicator.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::comm {

// Without a backend: host tensors only, copied at once.
std::unique_ptr<Communicator> make_local(std::shared_ptr<Backend> backend = nullptr, std::string name = "world");

}  // namespace strata::comm
