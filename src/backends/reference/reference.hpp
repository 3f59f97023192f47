// SPDX-License-Identifier: Apache-2.0
//
// The reference backend: every op as plain loops in double precision, on host memory, without any dependency. It is the
// oracle that other backends are judged by, and it lets the project build and be tested anywhere. Not for training: it
// is slow and keeps double copies of what it reads. It gives memory straight back to the system, so memory checkers see
// each use after free.
#pragma once

#include <memory>

#include "strata/runtime/backend.hpp"
#include "strata/runtime/kernel_table.hpp"

namespace strata {

std::shared_ptr<Backend> make_reference_backend();

// All kernels. A floating tensor may be f32, f64 or bf16; what else an op takes is said by its predicate.
KernelTable make_reference_table();

}  // namespace strata
