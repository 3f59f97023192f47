// SPDX-License-Identifier: Apache-2.0
//
// Offsets of packed sequences, read from the device and checked. Only the reference backend checks them: it is where a
// wrong plan shows first.
#pragma once

#include <string_view>
#include <vector>

#include "strata/tensor/tensor.hpp"

namespace strata::reference {

// Offsets that must begin with 0, never fall and end with `total`; otherwise an internal error of `op`.
std::vector<std::int64_t> load_offsets(std::string_view op, const Tensor& offsets, std::int64_t total);

}  // namespace strata::reference
