// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "autograd/tape_node.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"

namespace strata::autograd {

Tape::ReadyQueue::ReadyQueue(Context& ctx, std::span<const std::shared_ptr<Leaf>> model_order,
                             const std::vector<Node>& nodes)
    : ctx_(ctx), order_(model_order), left_(model_order.size()) {
  if (order_.empty()) return;
  for (const auto& node : nodes)
    for (const auto& leaf : node.leaves) ++pending_[leaf.get()];
}

void Tape::ReadyQueue::used(const std::shared_ptr<Leaf>& leaf) {
  if (!order_.empty()) --pending_[leaf.get()];
}

void Tape::ReadyQueue::advance() {
  while (left_ > 0) {
    Leaf& leaf = *order_[left_ - 1];
    if (leaf.trainable()) {
      const auto uses = pending_.find(&leaf);
      if (uses != pending_.end() && uses->second > 0) return;
      leaf.ensure_grad(ctx_);
      leaf.notify_ready();
    }
    --left_;
  }
}

void Tape::run_node(Node& node) {
  const bool arrived = std::ranges::any_of(node.outputs, [](const auto& slot) { return slot->grad.defined(); });
  if (!arrived && !node.always) return;
  std::vector<Tensor> grads;
  for (const auto& slot : node.outputs) {
    grads.push_back(std::move(slot->grad));
    slot->grad = {};
  }
  std::vector<Tensor> results = node.rule(grads);
  grads.clear();
  node.rule = nullptr;  // frees what the step had saved before its gradients are added up
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i >= node.inputs.size() || !node.inputs[i] || !results[i].defined()) continue;
    Tensor gradient = std::move(results[i]);
    results[i] = {};
    node.inputs[i]->add(work_, std::move(gradient));
  }
}

void Tape::walk(std::span<const std::shared_ptr<Leaf>> model_order) {
  ReadyQueue ready(work_, model_order, nodes_);
  ready.advance();
  while (!nodes_.empty()) {
    {
      Node node = std::move(nodes_.back());
      nodes_.pop_back();
      for (const auto& slot : node.outputs) slot->walked = true;
      run_node(node);
      for (const auto& leaf : node.leaves) ready.used(leaf);
    }
    ready.advance();
  }
}

void Tape::backward(std::span<const Root> roots, std::span<const std::shared_ptr<Leaf>> model_order) {
  STRATA_CHECK(mode_.record, usage, "backward", "this tape does not record", "make it with Mode::record = true");
  for (const auto& [variable, gradient] : roots) {  // all are checked before any is seeded
    STRATA_CHECK(!variable.slot_ || !variable.slot_->walked, usage, "backward", "this tape was walked already",
                 "give all roots to one call, or use a new tape");
    STRATA_CHECK(!gradient.defined() || gradient.shape() == variable.shape(), usage, "backward",
                 fmt::format("a gradient {} for a root {}", gradient.spec().str(), variable.spec().str()));
  }
  for (const auto& [variable, gradient] : roots) {
    if (!variable.slot_) continue;  // nothing trainable led here
    variable.slot_->add(work_, gradient.defined() ? gradient : ops::full(work_, variable.dtype(), variable.shape(), 1));
  }
  try {
    walk(model_order);
  } catch (...) {
    nodes_.clear();
    leaves_.clear();
    throw;
  }
  leaves_.clear();
}

void Tape::backward(const Variable& root, std::span<const std::shared_ptr<Leaf>> model_order) {
  const Root roots[] = {{root, {}}};
  backward(roots, model_order);
}

Tensor Tape::grad_of(const Variable& input) const {
  STRATA_CHECK(input.slot_ && input.slot_->keep, usage, "backward", "gradients are kept for tape inputs alone",
               "enter the value with Tape::input");
  return input.slot_->grad;
}

}  // namespace strata::autograd
