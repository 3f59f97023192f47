// SPDX-License-Identifier: Apache-2.0
//
// HDF5's way to fail (a negative result and a stack of messages) as one Error: what was done to which file, the
// innermost message, and what to try. Disk full and the like are recognised by the errno in that message.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "strata/base/error.hpp"

namespace strata::io::hdf5 {

// "cannot <doing> <file>: <HDF5's reason>". `kind` is used when no errno says more.
[[noreturn]] void fail_with_stack(ErrorKind kind, std::string_view doing, const std::string& file,
                                  std::source_location where);

}  // namespace strata::io::hdf5

// `doing` is evaluated only on failure, so it may format.
#define STRATA_HDF5(call, kind, doing, file)                                              \
  ([&](auto result, ::std::source_location where = ::std::source_location::current()) {   \
    if (result < 0) [[unlikely]]                                                          \
      ::strata::io::hdf5::fail_with_stack(::strata::ErrorKind::kind, doing, file, where); \
    return result;                                                                        \
  }(call))
