// SPDX-License-Identifier: Apache-2.0
#include "strata/autograd/tape.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/tape_node.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/concat.hpp"
#include "strata/ops/copy.hpp"

namespace strata::autograd {

Tape::Tape(const Context& ctx, Mode mode)
    : ctx_(ctx.labelled(MemoryKind::activations)), work_(ctx.labelled(MemoryKind::work)), mode_(mode) {}
Tape::~Tape() = default;
std::size_t Tape::size() const { return nodes_.size(); }

Variable Tape::constant(Tensor value) const {
  Variable variable;
  variable.value_ = std::move(value);
  return variable;
}

Variable Tape::input(Tensor value) {
  Variable variable = constant(std::move(value));
  if (mode_.record) {
    variable.slot_ = std::make_shared<detail::Slot>();
    variable.slot_->keep = true;
  }
  return variable;
}

void Tape::note_leaf(const std::shared_ptr<Leaf>& leaf) {
  if (std::ranges::find(touched_, leaf) == touched_.end()) touched_.push_back(leaf);
}

Variable Tape::leaf(const std::shared_ptr<Leaf>& leaf) {
  Variable variable;
  variable.leaf_ = leaf;
  if (!leaf->trainable()) return variable;
  if (mode_.record) {
    auto& slot = leaves_[leaf.get()];
    if (!slot) {
      slot = std::make_shared<detail::Slot>();
      slot->leaf = leaf;
    }
    variable.slot_ = slot;
  } else {
    note_leaf(leaf);
  }
  return variable;
}

std::vector<Tensor> Tape::values_of(Span inputs) const {
  std::vector<Tensor> values;
  values.reserve(inputs.size());
  for (const auto& input : inputs) values.push_back(input.defined() ? input.value() : Tensor());
  return values;
}

std::uint32_t Tape::needs_of(Span inputs) {
  std::uint32_t needs = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].needs_grad()) continue;
    STRATA_CHECK(i < 32, usage, "tape", fmt::format("input {} wants a gradient; a step has at most 32 such inputs", i),
                 "join them in groups");
    STRATA_CHECK(!inputs[i].slot_->walked, usage, "tape", "a value is used after backward has walked its tape",
                 "use a new tape for a new forward pass");
    needs |= 1u << i;
  }
  return needs;
}

void Tape::no_rule(std::string_view name) {
  fail(ErrorKind::internal, name, "has no gradient rule but an input wants a gradient", "detach the input");
}

detail::Saved Tape::save(const Variable& variable) const {
  if (variable.leaf_) return {{}, variable.leaf_, nullptr, 0};
  if (variable.recipe_) return {{}, nullptr, variable.recipe_, variable.recipe_output_};
  return {variable.value_, nullptr, nullptr, 0};
}

Tensor detail::Fetch::get(const Saved& saved) {
  if (saved.leaf) return saved.leaf->value();
  if (!saved.recipe) return saved.value;
  const auto made = made_.find(saved.recipe.get());
  if (made != made_.end()) return made->second.at(saved.output);
  auto outputs = saved.recipe->run(get(saved.recipe->inputs), get(saved.recipe->outputs));
  return made_.emplace(saved.recipe.get(), std::move(outputs)).first->second.at(saved.output);
}

std::vector<Tensor> detail::Fetch::get(const std::vector<Saved>& saved) {
  std::vector<Tensor> values;
  values.reserve(saved.size());
  for (const auto& one : saved) values.push_back(get(one));
  return values;
}

Tape::Variables Tape::wrap(std::vector<Tensor> outputs) const {
  Variables variables;
  variables.reserve(outputs.size());
  for (auto& output : outputs) variables.push_back(constant(std::move(output)));
  return variables;
}

void Tape::push(Node node) { nodes_.push_back(std::move(node)); }

namespace {

std::vector<TensorSpec> specs_of(Tape::Span variables) {
  std::vector<TensorSpec> specs;
  for (const auto& variable : variables) {
    specs.push_back(variable.defined() ? variable.spec() : TensorSpec{});
    specs.back().defined = variable.defined();
  }
  return specs;
}

}  // namespace

void Tape::record_op(std::string_view name, Span inputs, Variables& outputs, ops::Saved saved, std::uint32_t needs,
                     GradientRule rule) {
  auto run = [this, rule = std::move(rule), kept_inputs = save(inputs, saved.inputs),
              kept_outputs = save(outputs, saved.outputs), specs = specs_of(inputs), needs](Inputs grads) {
    std::vector<Tensor> in, out, dense_grads;
    {
      detail::Fetch fetch;
      in = fetch.get(kept_inputs);
      out = fetch.get(kept_outputs);
    }
    for (const auto& grad : grads) dense_grads.push_back(ops::dense(work_, grad));
    return rule(ops::GradientArgs{work_, specs, in, out, dense_grads, needs});
  };
  Node node{name, {}, {}, {}, std::move(run), false};
  for (const auto& input : inputs) {
    node.inputs.push_back(input.slot_);
    if (input.slot_ && input.leaf_) node.leaves.push_back(input.leaf_);
  }
  for (auto& output : outputs) {
    output.slot_ = std::make_shared<detail::Slot>();
    node.outputs.push_back(output.slot_);
  }
  push(std::move(node));
}

std::vector<detail::Saved> Tape::save(Span variables, std::uint32_t which) const {
  std::vector<detail::Saved> saved(variables.size());
  for (std::size_t i = 0; i < variables.size(); ++i)
    if (i < 32 && (which >> i & 1u) != 0) saved[i] = save(variables[i]);
  return saved;
}

namespace {

// Statistics of a row cost little to keep and as much to compute again as the rows themselves.
bool worth_computing_again(const Tensor& output, std::size_t largest) {
  constexpr std::size_t kSmall = 16;
  return output.defined() && output.bytes() * kSmall > largest;
}

}  // namespace

void Tape::make_recomputable(Span inputs, Variables& outputs, Again again) const {
  if (!mode_.record || mode_.checkpointing != Checkpointing::selective) return;
  auto recipe = std::make_shared<detail::Recipe>();
  recipe->inputs = save(inputs, again.reads.inputs);
  recipe->outputs = save(outputs, again.reads.outputs);
  recipe->run = [this, run = std::move(again.run)](Inputs in, Inputs out) { return run(ctx_, in, out); };
  std::size_t largest = 0;
  for (const auto& output : outputs)
    if (output.value_.defined()) largest = std::max(largest, output.value_.bytes());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (i >= 32 || (again.outputs >> i & 1u) == 0 || !worth_computing_again(outputs[i].value_, largest)) continue;
    outputs[i].recipe_ = recipe;
    outputs[i].recipe_output_ = i;
  }
}

Tape::Variables Tape::custom(std::string_view name, Span inputs, std::vector<Tensor> outputs, Rule rule, bool always) {
  Variables variables = wrap(std::move(outputs));
  if (!mode_.record || (needs_of(inputs) == 0 && !always)) return variables;
  Node node{name, {}, {}, {}, std::move(rule), always};
  for (const auto& input : inputs) {
    node.inputs.push_back(input.slot_);
    if (input.slot_ && input.leaf_) node.leaves.push_back(input.leaf_);
  }
  for (auto& variable : variables) {
    variable.slot_ = std::make_shared<detail::Slot>();
    node.outputs.push_back(variable.slot_);
  }
  push(std::move(node));
  return variables;
}

Variable Tape::cast(const Variable& x, DType to) { return x.dtype() == to ? x : apply1(ops::Cast{to}, {x}); }

Variable Tape::reshape(const Variable& x, const Shape& shape) {
  const Shape before = x.shape();
  const Variable in[] = {x};
  return custom(
             "reshape", in, {ops::dense(ctx_, x.value()).reshape(shape)},
             [this, before](Inputs grads) { return std::vector<Tensor>{ops::dense(work_, grads[0]).reshape(before)}; })
      .front();
}

Tape::Variables Tape::columns(const Variable& x, const std::vector<std::int64_t>& widths) {
  const TensorSpec whole = x.spec();
  const Variable in[] = {x};
  return custom("columns", in, ops::split_columns(x.value(), widths), [this, widths, whole](Inputs grads) {
    return std::vector<Tensor>{ops::join_columns(work_, grads, widths, whole)};
  });
}

void Tape::mark(std::function<void()> passed) {
  if (!mode_.record) return;
  auto rule = [passed = std::move(passed)](Inputs) {
    passed();
    return std::vector<Tensor>{};
  };
  push(Node{"mark", {}, {}, {}, std::move(rule), true});
}

Tape::Variables Tape::checkpoint(std::string_view name, Span inputs, const Region& region) {
  if (!mode_.record || mode_.checkpointing != Checkpointing::full) return region(*this, inputs);

  Mode forward_mode = mode_;
  forward_mode.record = false;
  Tape forward(ctx_, forward_mode);
  Variables results;
  {
    Variables detached;
    for (const auto& input : inputs) detached.push_back(input.leaf_ ? forward.leaf(input.leaf_) : detach(input));
    results = region(forward, detached);
  }
  std::vector<Tensor> outputs;
  for (const auto& result : results) outputs.push_back(result.value());
  if (needs_of(inputs) == 0 && forward.touched_.empty()) return wrap(std::move(outputs));

  std::vector<detail::Saved> kept;
  for (const auto& input : inputs) kept.push_back(save(input));
  const std::uint32_t needs = needs_of(inputs);
  auto rule = [this, region, kept, needs](Inputs grads) {
    Mode again = mode_;
    again.checkpointing = Checkpointing::none;
    Tape replay(ctx_, again);
    Variables ins;
    detail::Fetch fetch;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (kept[i].leaf)
        ins.push_back(replay.leaf(kept[i].leaf));
      else
        ins.push_back((needs >> i & 1u) != 0 ? replay.input(fetch.get(kept[i])) : replay.constant(fetch.get(kept[i])));
    }
    std::vector<Root> roots;
    {
      const Variables outs = region(replay, ins);
      for (std::size_t i = 0; i < outs.size(); ++i)
        if (grads[i].defined()) roots.push_back({outs[i], grads[i]});
    }
    replay.backward(roots);
    std::vector<Tensor> result;
    for (std::size_t i = 0; i < ins.size(); ++i)
      result.push_back(kept[i].leaf || (needs >> i & 1u) == 0 ? Tensor() : replay.grad_of(ins[i]));
    return result;
  };
  Variables variables = custom(name, inputs, std::move(outputs), std::move(rule), true);
  for (const auto& leaf : forward.touched_) nodes_.back().leaves.push_back(leaf);
  return variables;
}

}  // namespace strata::autograd
