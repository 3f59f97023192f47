// SPDX-License-Identifier: Apache-2.0
//
// Between module trees and state dicts: names come from walking the tree, and modules do not know how files look.
#pragma once

#include "strata/io/state_dict.hpp"
#include "strata/nn/module.hpp"

namespace strata::engine {

// Views of every parameter and buffer (the master storage) under its full name, with placements.
StateDict model_state(const nn::Module& module);

// Sets every parameter and buffer from host tensors under the same names, converted to the parameter's floating type. A
// name that is missing or a shape that differs: data error naming it. Tensors that no parameter wants are left alone
// (file readers report them).
void assign_state(Context& ctx, const nn::Module& module, const StateDict& state);

}  // namespace strata::engine
