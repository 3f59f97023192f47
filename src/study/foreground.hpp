// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/study/volume.hpp"

namespace strata::study {

struct Box {
  Extents3 begin{}, end{};  // [begin, end)
};
// The smallest box around all measured voxels above a value; none: data error. Stops reading a row where it learns
// nothing more from it.
Box foreground(const Volume& volume, double above);

}  // namespace strata::study
