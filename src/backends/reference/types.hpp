// SPDX-License-Identifier: Apache-2.0
//
// How reference kernels see tensors: `load` turns any tensor, strided or not, into doubles in row-major order, `store`
// rounds them back into the output's type. Kernels are then plain loops over vectors of double and know no element
// type. Costs a double copy of every operand.
#pragma once

#include <cstdint>
#include <vector>

#include "strata/runtime/kernel_table.hpp"
#include "strata/tensor/tensor.hpp"

namespace strata::reference {

using Values = std::vector<double>;

Values load(const Tensor& tensor);
std::vector<std::int64_t> load_integers(const Tensor& tensor);  // i32, i64, i16 or u8
void store(const Tensor& tensor, const Values& values);  // into an integer type: rounds to nearest even and saturates

void store_integers(const Tensor& tensor,
                    const std::vector<std::int64_t>& values);  // into an integer type: saturates

inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// A matrix whose rows are the last axis of a tensor: how row-wise ops see their input. A scalar is one row of one.
struct Rows {
  std::int64_t count = 0;
  std::int64_t width = 0;
};
Rows rows_of(const Shape& shape);

bool all_floating(Specs inputs);  // every defined input is f32, f64 or bf16

// Predicate of most ops.
template <class Op>
bool floating(const Op&, Specs inputs) {
  return all_floating(inputs);
}

// Of ops with integer inputs behind a floating one.
template <class Op>
bool first_floating(const Op&, Specs inputs) {
  return !inputs.empty() && is_floating(inputs[0].dtype);
}

}  // namespace strata::reference
