// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/optimizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <unordered_set>

#include "optim/names.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/rounding.hpp"
#include "strata/ops/step.hpp"

namespace strata::optim {
namespace {

constexpr std::array<std::string_view, 5> kAlgorithms{"adamw", "adam", "sgd", "lion", "lamb"};

void check_config(const OptimizerConfig& c) {
  const auto check = [&](bool good, std::string_view what, double value, std::string_view hint) {
    STRATA_CHECK(good && std::isfinite(value), usage, "optim",
                 fmt::format("{} with {} {}", name_of(c.algorithm), what, value), hint);
  };
  if (c.algorithm == Algorithm::sgd) {
    check(c.momentum >= 0 && c.momentum < 1, "momentum", c.momentum, "momentum is at least 0 and less than 1");
    check(c.dampening >= 0 && c.dampening <= 1, "dampening", c.dampening, "dampening is between 0 and 1");
    STRATA_CHECK(!c.nesterov || (c.momentum > 0 && c.dampening == 0), usage, "optim",
                 "Nesterov's form needs momentum and no dampening", "set momentum, e.g. 0.9, and dampening 0");
    return;
  }
  check(c.beta1 >= 0 && c.beta1 < 1, "beta1", c.beta1, "betas are at least 0 and less than 1");
  check(c.beta2 >= 0 && c.beta2 < 1, "beta2", c.beta2, "betas are at least 0 and less than 1");
  if (c.algorithm != Algorithm::lion) check(c.eps >= 0, "eps", c.eps, "eps is 0 or more");
}

void check_values(const StepValues& values) {
  STRATA_CHECK(std::isfinite(values.lr) && values.lr >= 0, usage, "optim",
               fmt::format("a step with learning rate {}", values.lr), "learning rates are 0 or more");
  STRATA_CHECK(std::isfinite(values.weight_decay) && values.weight_decay >= 0, usage, "optim",
               fmt::format("a step with weight decay {}", values.weight_decay), "weight decay is 0 or more");
}

void check_share(const Share& share, Algorithm algorithm) {
  const auto& p = *share.parameter;
  const std::int64_t all = p.spec().shape.numel();
  STRATA_CHECK(share.begin >= 0 && share.begin <= share.end && share.end <= all, internal, "optim",
               fmt::format("elements [{}, {}) of {}, which has {}", share.begin, share.end, p.name(), all));
  const bool whole = share.numel() == all && p.placement().is_whole();
  STRATA_CHECK(whole || algorithm != Algorithm::lamb, usage, "optim",
               fmt::format("lamb was given a part of {}, but its trust ratio is a norm over the whole", p.name()),
               "use adamw, or a plan that keeps parameters whole");
}

// [elements] of the share out of a dense tensor of the parameter's local shape.
Tensor flat_part(const Tensor& tensor, const Share& share) {
  return tensor.reshape({-1}).slice(0, share.begin, share.end);
}

// Calls f with the op of the algorithm, with its groups and copies.
template <class F>
void with_op(const OptimizerConfig& c, std::vector<std::int32_t> groups, std::vector<DType> copies, const F& f) {
  switch (c.algorithm) {
    case Algorithm::adamw: return f(ops::AdamWStep{std::move(groups), true, std::move(copies)});
    case Algorithm::adam: return f(ops::AdamWStep{std::move(groups), false, std::move(copies)});
    case Algorithm::sgd: return f(ops::SgdStep{std::move(groups), c.nesterov, std::move(copies)});
    case Algorithm::lion: return f(ops::LionStep{std::move(groups), std::move(copies)});
    case Algorithm::lamb: return f(ops::LambStep{std::move(groups), std::move(copies)});
  }
}

// The arguments of one step op, gathered share by share. Shares with equal hyper-parameters use one row.
struct StepCall {
  std::vector<Tensor> inputs, outputs;
  std::vector<double> hyper;
  std::vector<std::int32_t> groups;
  std::vector<DType> copies;
  std::map<std::vector<double>, std::int32_t> rows;

  void add(const std::vector<double>& row, const ShareTensors& share, std::initializer_list<Tensor> moments,
           bool with_copies) {
    const auto [place, fresh] = rows.try_emplace(row, static_cast<std::int32_t>(rows.size()));
    if (fresh) hyper.insert(hyper.end(), row.begin(), row.end());
    groups.push_back(place->second);
    inputs.insert(inputs.end(), {share.master, share.grad});
    inputs.insert(inputs.end(), moments);
    outputs.push_back(share.master);
    outputs.insert(outputs.end(), moments);
    if (!with_copies) return;
    copies.push_back(share.copy.defined() ? share.copy.dtype() : share.master.dtype());
    outputs.push_back(share.copy);
  }
  std::int64_t columns() const { return static_cast<std::int64_t>(hyper.size() / rows.size()); }
};

// Into the tensor that is there, so that a captured step finds it again.
template <class T>
void refresh(Context& ctx, Tensor& kept, const std::vector<T>& values, std::int64_t columns) {
  const Shape shape{static_cast<std::int64_t>(values.size()) / columns, columns};
  if (!kept.defined() || kept.shape() != shape) {
    kept = ctx.tensor(values, shape);
    return;
  }
  ctx.backend().copy(kept.raw(), kept.device(), values.data(), Device{}, kept.bytes(), ctx.stream());
}

bool has_second_moment(Algorithm algorithm) { return algorithm != Algorithm::sgd && algorithm != Algorithm::lion; }

std::vector<nn::ParameterPtr> parameters_of(const std::vector<Share>& shares) {
  std::vector<nn::ParameterPtr> parameters;
  for (const auto& share : shares) parameters.push_back(share.parameter);
  return parameters;
}

}  // namespace

std::string_view name_of(Algorithm algorithm) { return kAlgorithms[static_cast<std::size_t>(algorithm)]; }
Algorithm parse_algorithm(std::string_view name) {
  return static_cast<Algorithm>(parse_name("optim", "optimizer", name, kAlgorithms));
}

Optimizer::Optimizer(OptimizerConfig config, std::vector<Share> shares, const std::vector<GroupRule>& rules)
    : config_(config),
      shares_(std::move(shares)),
      steps_(host_tensor(DType::i64, {static_cast<std::int64_t>(shares_.size())})) {
  check_config(config_);
  std::unordered_set<std::string> names;
  for (auto& share : shares_) {
    if (share.end < 0) share.end = share.parameter->spec().shape.numel();
    check_share(share, config_.algorithm);
    STRATA_CHECK(names.insert(share.parameter->name()).second, usage, "optim",
                 fmt::format("parameter '{}' was given twice", share.parameter->name()),
                 "names must differ: walk the module tree from its root");
  }
  settings_ = assign_settings(rules, parameters_of(shares_));
  moments_.resize(shares_.size());
  for (std::size_t i = 0; i < shares_.size(); ++i) steps(i) = 0;
}

Optimizer::Optimizer(OptimizerConfig config, const std::vector<nn::ParameterPtr>& parameters,
                     const std::vector<GroupRule>& rules)
    : Optimizer(config, whole_shares(parameters), rules) {}

std::int64_t& Optimizer::steps(std::size_t share) const { return steps_.data<std::int64_t>()[share]; }

std::vector<std::size_t> Optimizer::active() const {
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < shares_.size(); ++i)
    if (shares_[i].parameter->trainable() && !settings_[i].frozen) indexes.push_back(i);
  return indexes;
}

std::vector<Tensor> Optimizer::gradients() const {
  std::vector<Tensor> grads;
  for (const auto i : active()) {
    const auto& p = *shares_[i].parameter;
    STRATA_CHECK(p.grad().defined(), usage, "optim", fmt::format("{} has no gradient", p.name()),
                 "give backward the trainable parameters, so that unused ones get zeros, or freeze it");
    grads.push_back(flat_part(p.grad(), shares_[i]));
  }
  return grads;
}

void Optimizer::clear_gradients() const {
  for (const auto& share : shares_) share.parameter->clear_grad();
}

ShareTensors Optimizer::tensors_of(std::size_t i) const {
  const Share& share = shares_[i];
  const auto& p = *share.parameter;
  ShareTensors tensors{flat_part(p.master(), share), {}, {}};
  if (p.has_master() && !p.master().same_view(p.value())) {
    STRATA_CHECK(p.master().dtype() != p.value().dtype(), internal, p.name(),
                 "its master has the type of its value, but other memory");
    tensors.copy = flat_part(p.value(), share);
  }
  return tensors;
}

void Optimizer::create_state(Context& ctx, std::size_t share, DType type) {
  const Shape shape{shares_[share].numel()};
  auto& [first, second] = moments_[share];
  const bool wants_first = config_.algorithm != Algorithm::sgd || config_.momentum > 0;
  const Context lasting = ctx.labelled(MemoryKind::optimizer);
  if (wants_first && !first.defined()) first = lasting.zeros(type, shape);
  if (has_second_moment(config_.algorithm) && !second.defined()) second = lasting.zeros(type, shape);
}

void Optimizer::create_state(Context& ctx) {
  created_ = true;
  for (const auto i : active()) create_state(ctx, i, shares_[i].parameter->master_type());
}

std::vector<OptimizerState> Optimizer::state() const {
  std::vector<OptimizerState> list;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    const auto& [parameter, begin, end] = shares_[i];
    const bool whole = shares_[i].numel() == parameter->spec().shape.numel();
    const auto add = [&](std::string_view what, const Tensor& flat) {
      if (!flat.defined()) return;
      const Tensor value = whole ? flat.reshape(parameter->spec().shape) : flat;
      list.push_back({fmt::format("{}.{}", parameter->name(), what), value, parameter->placement(), begin, end,
                      parameter->global_shape()});
    };
    add(config_.algorithm != Algorithm::sgd ? "exp_avg" : "momentum", moments_[i].first);
    add("exp_avg_sq", moments_[i].second);
    const bool active = created_ && parameter->trainable() && !settings_[i].frozen;
    if (moments_[i].first.defined() || steps(i) > 0 || active) {
      const auto at = static_cast<std::int64_t>(i);
      list.push_back(
          {fmt::format("{}.step", parameter->name()), steps_.slice(0, at, at + 1).reshape(Shape{}), {}, 0, 1, {}});
    }
  }
  return list;
}

// Columns as ops/step.hpp names them. The share's own count of steps is that of the step being made.
std::vector<double> Optimizer::hyper_row(const StepValues& values, std::size_t i) const {
  const auto& c = config_;
  const double lr = values.lr * settings_[i].lr_scale, decay = values.weight_decay * settings_[i].decay_scale;
  const auto t = static_cast<double>(steps(i));
  const double bias1 = 1 - std::pow(c.beta1, t), bias2 = 1 - std::pow(c.beta2, t);
  switch (c.algorithm) {
    case Algorithm::adamw:
    case Algorithm::adam: return {lr, c.beta1, c.beta2, c.eps, decay, bias1, bias2};
    case Algorithm::sgd: return {lr, c.momentum, c.dampening, decay, t == 1 ? 1.0 : 0.0};
    case Algorithm::lion: return {lr, c.beta1, c.beta2, decay};
    case Algorithm::lamb:
      return {lr, c.beta1, c.beta2, c.eps, decay, bias1, bias2, decay != 0 || c.always_adapt ? 1.0 : 0.0};
  }
  return {};
}

bool Optimizer::draws_copy(std::size_t i, const ShareTensors& tensors) const {
  if (config_.rounding != Rounding::stochastic || !tensors.copy.defined()) return false;
  if (tensors.copy.dtype() != DType::bf16 || tensors.master.dtype() != DType::f32) return false;
  const auto& p = *shares_[i].parameter;
  STRATA_CHECK(p.placement().is_whole(), usage, "optim",
               fmt::format("stochastic rounding was given a placed part of {}", p.name()),
               "use rounding to nearest, or a plan that keeps parameters whole");
  return true;
}

// A parameter's stream is its name's and the step its own count, so that numbers depend neither on the ranks nor on
// what else is trained.
void Optimizer::draw_copies(Context& ctx, const std::vector<std::size_t>& indexes,
                            const std::vector<ShareTensors>& tensors) {
  if (indexes.empty()) return;
  std::vector<std::int64_t> draws;
  std::vector<Tensor> inputs{Tensor()}, outputs;
  for (std::size_t k = 0; k < indexes.size(); ++k) {
    const Share& share = shares_[indexes[k]];
    draws.insert(draws.end(),
                 {static_cast<std::int64_t>(nn::name_hash(share.parameter->name())), steps(indexes[k]), share.begin});
    inputs.push_back(tensors[k].master);
    outputs.push_back(tensors[k].copy);
  }
  refresh(ctx, draws_, draws, 3);
  inputs[0] = draws_;
  ops::run_into(ctx, ops::RoundStochastically{{config_.seed, RandomPurpose::rounding}}, inputs, outputs);
}

void Optimizer::restore_copies(Context& ctx) {
  std::vector<std::size_t> indexes;
  std::vector<ShareTensors> tensors;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (steps(i) == 0) continue;  // as they were assigned
    ShareTensors own = tensors_of(i);
    if (!draws_copy(i, own)) continue;
    indexes.push_back(i);
    tensors.push_back(std::move(own));
  }
  draw_copies(ctx, indexes, tensors);
}

void Optimizer::step(Context& ctx, const StepValues& values, const Tensor& factor) {
  const auto grads = gradients();
  std::vector<ShareTensors> tensors;
  for (const auto i : active()) {
    tensors.push_back(tensors_of(i));
    tensors.back().grad = grads[tensors.size() - 1];
  }
  step(ctx, values, factor, tensors);
}

void Optimizer::step(Context& ctx, const StepValues& values, const Tensor& factor,
                     std::span<const ShareTensors> tensors) {
  check_values(values);
  const auto indexes = active();
  STRATA_CHECK(tensors.size() == indexes.size(), internal, "optim",
               fmt::format("{} tensors for {} active shares", tensors.size(), indexes.size()));
  if (indexes.empty()) return;
  if (!factor.defined() && !one_.defined()) one_ = ctx.tensor(std::vector<double>{1}, {1});

  StepCall call;
  call.inputs = {Tensor(), factor.defined() ? factor : one_};
  std::vector<std::size_t> drawn;
  std::vector<ShareTensors> drawn_tensors;
  const bool with_copies = std::ranges::any_of(tensors, [](const ShareTensors& t) { return t.copy.defined(); });
  for (std::size_t k = 0; k < indexes.size(); ++k) {
    const auto i = indexes[k];
    create_state(ctx, i, tensors[k].master.dtype());
    ++steps(i);
    ShareTensors own = tensors[k];
    if (draws_copy(i, own)) {
      drawn.push_back(i);
      drawn_tensors.push_back(own);
      own.copy = {};
    }
    const auto& [first, second] = moments_[i];
    if (has_second_moment(config_.algorithm))
      call.add(hyper_row(values, i), own, {first, second}, with_copies);
    else
      call.add(hyper_row(values, i), own, {first}, with_copies);
  }
  refresh(ctx, hyper_, call.hyper, call.columns());
  call.inputs[0] = hyper_;
  with_op(config_, call.groups, call.copies,
          [&](const auto& op) { ops::run_into(ctx, op, call.inputs, call.outputs); });
  draw_copies(ctx, drawn, drawn_tensors);
}

}  // namespace strata::optim
