// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/model_state.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"

namespace strata::engine {

StateDict model_state(const nn::Module& module) {
  StateDict state;
  for (const auto& parameter : module.parameters())
    state.add(parameter->name(), parameter->master(), parameter->placement());
  return state;
}

void assign_state(Context& ctx, const nn::Module& module, const StateDict& state) {
  for (const auto& parameter : module.parameters()) {
    const auto* entry = state.find(parameter->name());
    STRATA_CHECK(entry != nullptr, data, "model state", fmt::format("'{}' is missing", parameter->name()));
    const TensorSpec wanted = parameter->spec();
    STRATA_CHECK(entry->value.shape() == wanted.shape, data, "model state",
                 fmt::format("'{}' has shape {}, the model wants {}", parameter->name(), entry->value.shape().str(),
                             wanted.shape.str()));
    parameter->set_value(ops::cast(ctx, ctx.upload(entry->value), wanted.dtype));
  }
}

}  // namespace strata::engine
