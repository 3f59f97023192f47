// SPDX-License-Identifier: Apache-2.0
//
// Tensors for cases: numbers drawn from a seed, laid out as a View says, and read back from any device without the help
// of an op.
#pragma once

#include <vector>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {

// STRATA_SEED of the environment, or the project's own.
std::uint64_t seed_from_environment();

// Row-major values of input `index` of a case; the same for every element type and backend.
std::vector<double> draw(const OpCase& the_case, std::size_t index, std::uint64_t seed);
std::vector<double> draw_normal(const std::string& stream, std::int64_t count, std::uint64_t seed);

// A new tensor that holds the values rounded to its type. The memory around it holds `around`.
Tensor make_tensor(const Context& ctx, const std::vector<double>& values, const TensorSpec& spec, View view,
                   double around);

std::vector<double> read(const Context& ctx, const Tensor& tensor);  // any view; waits
// Elements of the storage outside the view that differ from `around`, which make_tensor put there.
std::int64_t count_touched(const Context& ctx, const Tensor& tensor, double around);

// Where element `element` (row-major) of a view lies, in elements from the beginning of its storage.
std::int64_t offset_of(const Tensor& tensor, std::int64_t element);

}  // namespace strata::conformance
