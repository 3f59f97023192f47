// SPDX-License-Identifier: Apache-2.0
//
// What a case yields. Each check runs one case once and says whether it passed, with numbers, and never throws for a
// wrong result; it does throw what the op throws. `reference` must be a context on the reference backend.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {

struct Outcome {
  bool passed = true;
  std::string text;  // what was compared and how large the errors were; for people
};

// Outputs of a backend against the reference backend's, computed in f64 from the same rounded inputs. Also: a second
// run gives the same bits, nothing is written outside the outputs, NaN and infinities appear where they should.
Outcome compare_outputs(const OpCase& the_case, DType dtype, Context& tested, Context& reference, std::uint64_t seed);

// The gradient rule run on a backend in `dtype` against the rule in f64 on the reference backend.
Outcome compare_gradients(const OpCase& the_case, DType dtype, Context& tested, Context& reference, std::uint64_t seed);

// The gradient rule in f64 on a backend against central differences of fourth order, step 1e-3, of
// sum(output · cotangent) on the same one, for every input that is differentiated; up to `samples` elements an input.
// Allowed: 1e-6 of the largest element of that input's gradient. Also: asking for one input's gradient gives what
// asking for all gives, and gradients have the inputs' shapes, and their types or the accumulation types of these.
Outcome check_gradient(const OpCase& the_case, Context& tested, Context& reference, std::uint64_t seed,
                       int samples = 24);

// The inputs of a case on a device, and the op's outputs for them: for timing.
std::vector<Tensor> make_inputs(const OpCase& the_case, DType dtype, Context& ctx, Context& reference,
                                std::uint64_t seed);
std::vector<Tensor> make_outputs(const OpCase& the_case, const AnyOp& op, Context& ctx, Inputs inputs);

std::vector<TensorSpec> input_specs(const OpCase& the_case, DType dtype);
// The kernel of a table, or of its fallbacks, that serves the case in this type; nullptr when none does.
const KernelTable::Entry* kernel_of(const OpCase& the_case, DType dtype, const KernelTable& table);
bool has_own_kernel(const OpCase& the_case, DType dtype, const KernelTable& table);  // not through a fallback

}  // namespace strata::conformance
