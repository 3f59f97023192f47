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

// `cache` false gives every block straight back to the system: slower, but memory checkers see each use after free.
std::shared_ptr<Backend> make_host_backend(std::string name, bool cache = true);

}  // namespace strata
