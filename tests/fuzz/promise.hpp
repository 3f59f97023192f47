// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include "strata/base/error.hpp"

namespace strata::fuzz {

inline void promise(bool held, const std::string& what) {
  if (!held) throw std::logic_error("broken promise: " + what);
}

// Runs `read`; true when it accepts. A refusal must be a data error of readable length.
template <class Read>
bool accepts(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    promise(error.kind() == ErrorKind::data, std::string("not a data error: ") + error.what());
    promise(std::string(error.what()).size() < 2000,
            "an error of " + std::to_string(std::string(error.what()).size()) + " bytes");
    return false;
  }
  return true;
}

}  // namespace strata::fuzz
