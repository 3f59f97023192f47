// SPDX-License-Identifier: Apache-2.0
//
// The tree of modules: who owns which parameters under which name, and the seams where parallelism attaches without the
// model knowing:
//   seam 1, storage         Parameter::place: keep a part of a tensor
//   seam 2, module border   Hooks: differentiable functions around forward, callbacks around backward
//   seam 3, gradient ready  Leaf::on_gradient_ready, fired by Tape::backward
// A module is written for one device: it reads sizes from its weights, knows no rank, and draws random numbers by
// counter.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "strata/autograd/tape.hpp"
#include "strata/nn/parameter.hpp"

namespace strata::nn {

using autograd::Tape;
using autograd::Variable;

// Layers that take and give rows call them: Linear, LayerNorm, Attention, Mlp, Block, Regroup, PatchEmbed3d,
// Position3d. An attention core has three inputs and no hooks: replace it. Parameters gathered by hooks are also read
// when a cheap layer runs again for its successor (selective checkpointing), so such hooks stand on modules that hold
// both, as Block does. All optional. `before` sees the module's input, `after` its output; `before_backward` is called
// when backward enters the module (from its output), `after_backward` when it has left it. Gathering parameters (ZeRO
// 3) uses `before_forward`, `after_forward` and the backward pair.
struct Hooks {
  std::function<void()> before_forward, after_forward;
  std::function<Variable(Tape&, const Variable&)> before, after;
  std::function<void()> before_backward, after_backward;
};

class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  Hooks& hooks() { return hooks_; }
  // Somebody reads or changes what crosses this module's border: nothing may then be fused across it.
  bool value_hooks() const { return hooks_.before != nullptr || hooks_.after != nullptr; }

  // All parameters and buffers below, depth first in the order of definition, each once, with their paths from here
  // ("blocks.0.attn.qkv.weight").
  struct Named {
    std::string path;
    ParameterPtr parameter;
  };
  std::vector<Named> named_parameters(const std::string& prefix = {}) const;
  std::vector<ParameterPtr> parameters() const;
  std::vector<ParameterPtr> trainable_parameters() const;  // only those that are trained now
  // Gives every parameter below its full name (what errors, optimizers and files call it). The outermost module's
  // constructor does this last.
  void name_parameters(const std::string& prefix = {});
  // Calls `visit(path, module)` for this module (path "") and all below.
  void walk(const std::function<void(const std::string& path, Module& module)>& visit, const std::string& prefix = {});
  // Unknown path: usage error with the nearest one.
  Module& find(const std::string& path);
  ParameterPtr parameter(const std::string& path) const;

 protected:
  Module() = default;

  ParameterPtr add(ParameterPtr parameter);
  void add(std::string name, Module& child);
  void replace_child(const Module& old, Module& fresh);  // in its place, under its name

  // Runs `body` between the hooks.
  template <class Body>
  Variable bordered(Tape& tape, const Variable& x, Body&& body) {
    Variable y = std::forward<Body>(body)(enter(tape, x));
    return leave(tape, y);
  }

  // The two halves of `bordered`, for modules that give more than one value.
  Variable enter(Tape& tape, const Variable& x);
  Variable leave(Tape& tape, const Variable& y);

 private:
  Hooks hooks_;
  std::vector<ParameterPtr> own_;
  std::vector<std::pair<std::string, Module*>> children_;
};

}  // namespace strata::nn
