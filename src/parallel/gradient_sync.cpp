// SPDX-License-Identifier: Apache-2.0
#include "strata/parallel/gradient_sync.hpp"

namespace strata::parallel {

GradientSync::~GradientSync() = default;

}  // namespace strata::parallel
