// SPDX-License-Identifier: Apache-2.0
//
// Private to this folder: what tensors and texts may be called in the file, and their types there.
#pragma once

#include <optional>
#include <string_view>

#include "io/hdf5/file.hpp"
#include "strata/tensor/dtype.hpp"

namespace strata::io {

inline constexpr std::string_view kCheckpointMagic = "strata checkpoint\n";

bool is_storable_name(std::string_view name);
hdf5::Element element_of(DType dtype);
std::optional<DType> dtype_of_element(hdf5::Element element);  // u16 is not one by itself

}  // namespace strata::io
