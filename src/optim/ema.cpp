// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/ema.hpp"

#include <fmt/format.h>

#include <utility>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/step.hpp"

namespace strata::optim {

void ema_update(Context& ctx, std::span<const Tensor> averages, std::span<const Tensor> values, double decay) {
  STRATA_CHECK(decay >= 0 && decay <= 1, usage, "ema", fmt::format("decay {}", decay),
               "it lies between 0 and 1, e.g. 0.9995");
  STRATA_CHECK(averages.size() == values.size(), internal, "ema",
               fmt::format("{} averages of {} tensors", averages.size(), values.size()));
  if (averages.empty()) return;
  std::vector<Tensor> inputs{ctx.tensor(std::vector<double>{decay}, {1})};
  for (std::size_t i = 0; i < averages.size(); ++i) inputs.insert(inputs.end(), {averages[i], values[i]});
  ops::run_into(ctx, ops::EmaStep{}, inputs, averages);
}

Ema::Ema(Context& ctx, const std::vector<nn::ParameterPtr>& parameters) : updates_(host_tensor(DType::i64, {})) {
  *updates_.data<std::int64_t>() = 0;
  Context lasting = ctx.labelled(MemoryKind::optimizer);
  for (const auto& parameter : parameters) {
    if (parameter->role() != nn::Role::parameter) continue;
    parameters_.push_back(parameter);
    const Tensor& weights = parameter->master();
    const DType type = parameter->master_type();
    averages_.push_back(weights.dtype() == type ? ops::run1(lasting, ops::Copy{}, {weights})
                                                : ops::run1(lasting, ops::Cast{type}, {weights}));
  }
}

void Ema::update(Context& ctx, double decay) {
  STRATA_CHECK(!swapped_, usage, "ema", "an update while the averages stand in the model",
               "swap the weights back first");
  std::vector<Tensor> masters;
  for (const auto& parameter : parameters_) masters.push_back(parameter->master());
  ema_update(ctx, averages_, masters, decay);
  ++*updates_.data<std::int64_t>();
}

void Ema::swap(Context& ctx) {
  copies_.resize(parameters_.size());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& p = *parameters_[i];
    const Tensor weights = ops::run1(ctx, ops::Copy{}, {p.master()});
    ops::run_into(ctx, ops::Copy{}, {averages_[i]}, {p.master()});
    ops::run_into(ctx, ops::Copy{}, {weights}, {averages_[i]});
    if (!p.has_master()) continue;
    if (swapped_) {  // as it was, however it had been rounded
      ops::run_into(ctx, ops::Copy{}, {std::exchange(copies_[i], {})}, {p.value()});
    } else {
      copies_[i] = ops::run1(ctx, ops::Copy{}, {p.value()});
      ops::run_into(ctx, ops::Cast{p.value().dtype()}, {p.master()}, {p.value()});
    }
  }
  swapped_ = !swapped_;
}

std::vector<Ema::State> Ema::state() const {
  std::vector<State> list;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    list.push_back(
        {parameters_[i]->name() + ".ema", averages_[i], parameters_[i]->placement(), parameters_[i]->global_shape()});
  list.push_back({"ema.updates", updates_, {}, {}});
  return list;
}

}  // namespace strata::optim
