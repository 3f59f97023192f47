// SPDX-License-Identifier: Apache-2.0
//
// What a tape keeps of one recorded step.
#pragma once

#include "strata/autograd/tape.hpp"

namespace strata::autograd {

// A saved value: the tensor, a leaf's handle, or the recipe to compute it again.
struct Tape::Saved {
  Tensor value;
  std::shared_ptr<Leaf> leaf;
  std::shared_ptr<const detail::Recompute> recompute;

  Tensor get() const {
    if (leaf) return leaf->value();
    return recompute ? (*recompute)() : value;
  }
};

struct Tape::Node {
  std::string_view name;
  std::vector<std::shared_ptr<detail::Slot>> inputs;  // null where no gradient is wanted
  std::vector<std::shared_ptr<detail::Slot>> outputs;
  std::vector<std::shared_ptr<Leaf>> leaves;  // whose pending count this step holds
  Rule rule;
  bool always = false;
};

// Fires gradient-ready callbacks in the reverse of the model's order, each leaf once, after its last use.
class Tape::ReadyQueue {
 public:
  ReadyQueue(Context& ctx, std::span<const std::shared_ptr<Leaf>> model_order, const std::vector<Node>& nodes);
  void used(const std::shared_ptr<Leaf>& leaf);  // one recorded use is done
  void advance();

 private:
  Context& ctx_;
  std::span<const std::shared_ptr<Leaf>> order_;
  std::size_t left_;
  std::unordered_map<const Leaf*, int> pending_;
};

}  // namespace strata::autograd
