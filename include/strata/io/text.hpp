// SPDX-License-Identifier: Apache-2.0
//
// Names out of files, for messages of file readers: strata/base/text.hpp under the name that io uses.
#pragma once

#include "strata/base/text.hpp"

namespace strata::io {

using strata::printable;

}  // namespace strata::io
