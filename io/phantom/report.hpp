// SPDX-License-Identifier: Apache-2.0
//
// A radiologist's sentences about what was drawn: each finding in one of several wordings with its side and size, what
// is absent, in an order that varies.
#pragma once

#include <string>
#include <vector>

#include "io/phantom/findings.hpp"

namespace strata::phantom {

std::vector<std::string> write_report(Draws& draws, const Findings& findings);

}  // namespace strata::phantom
