// SPDX-License-Identifier: Apache-2.0
//
// What a tape keeps of one recorded step.
#pragma once

#include "strata/autograd/tape.hpp"

namespace strata::autograd {

// A saved value: the tensor, a leaf's handle, or one output of a recipe.
struct detail::Saved {
  Tensor value;
  std::shared_ptr<Leaf> leaf;
  std::shared_ptr<const Recipe> recipe;
  std::size_t output = 0;
};

// Gets saved values. A recipe runs once for all that one Fetch is asked for; what it made beyond that is freed with the
// Fetch.
class detail::Fetch {
 public:
  Tensor get(const Saved& saved);
  std::vector<Tensor> get(const std::vector<Saved>& saved);

 private:
  std::unordered_map<const Recipe*, std::vector<Tensor>> made_;
};

struct detail::Recipe {
  std::vector<Saved> inputs, outputs;  // empty where not kept
  std::function<std::vector<Tensor>(Inputs inputs, Inputs outputs)> run;
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
