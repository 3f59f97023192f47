// SPDX-License-Identifier: Apache-2.0
//
// The part of a backend that every CPU backend shares: host memory from a caching allocator, streams that run their
// work at once. The reference and the cpu backend differ only in name and in their kernel tables, so both build on
// this.
#pragma once

#include <memory>
#include <string>

#include "strata/runtime/backend.hpp"

namespace strata {

// How freed blocks are kept.
//   cached     for the next call
//   returned   given back to the system at once: slower, but memory checkers see each use after free
//   rehearsed  cached, but large blocks are address space alone until they are written, and a copy writes only what
//              differs: for runs that compute nothing and are asked how much memory they would need
enum class HostMemory : std::uint8_t { cached, returned, rehearsed };

std::shared_ptr<Backend> make_host_backend(std::string name, HostMemory memory = HostMemory::cached);

}  // namespace strata
