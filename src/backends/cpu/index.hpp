// SPDX-License-Identifier: Apache-2.0
//
// Integer inputs of kernels, checked before anything is moved: a wrong index is an error with its place, never a wild
// write.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "strata/tensor/tensor.hpp"

namespace strata::cpu {

// Row numbers, i32 or i64, each in [0, rows); data error otherwise. `what` names the tensor in messages: "index",
// "kept".
std::vector<std::int64_t> load_index(std::string_view op, const Tensor& index, std::int64_t rows,
                                     std::string_view what = "index");

// Offsets of segments, i32 [n + 1]: from 0 to `rows`, never falling; internal error otherwise.
std::vector<std::int64_t> load_offsets(std::string_view op, const Tensor& offsets, std::int64_t rows);

}  // namespace strata::cpu
