// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/model_state.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"

namespace strata::engine {

StateDict model_state(const nn::Module& module) {
  StateDict state;
  for (const auto& parameter : module.parameters())
    state.add({.name = parameter->name(),
               .value = parameter->master(),
               .placement = parameter->placement(),
               .global = parameter->global_shape()});
  return state;
}

void assign_state(Context& ctx, const nn::Module& module, const StateDict& state) {
  const auto parameters = module.parameters();
  for (const auto& parameter : parameters) {  // all are checked before any is changed
    const auto* entry = state.find(parameter->name());
    STRATA_CHECK(entry != nullptr, data, "model state", fmt::format("'{}' is missing", parameter->name()));
    const Shape& wanted = parameter->spec().shape;
    STRATA_CHECK(entry->value.shape() == wanted, data, "model state",
                 fmt::format("'{}' has shape {}, the model wants {}", parameter->name(), entry->value.shape().str(),
                             wanted.str()));
  }
  for (const auto& parameter : parameters) parameter->assign(ctx, ctx.upload(state.at(parameter->name())));
}

}  // namespace strata::engine
