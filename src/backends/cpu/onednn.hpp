// SPDX-License-Identifier: Apache-2.0
//
// The only place that speaks to oneDNN, and the only one that knows how 2.6 and 3.x differ.
#pragma once

namespace strata::cpu {

class MatmulCache {};

}  // namespace strata::cpu
