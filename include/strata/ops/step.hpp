// SPDX-License-Identifier: Apache-2.0
//
// Optimizer arithmetic over many tensors in one fused pass. Every number that changes from step to step is read from
// device memory (capture- friendly): `hyper` [groups, columns] f64 with the columns each op names, `factor` f64 [1]
// multiplied into every gradient (clipping, 1/accumulation). A factor of 0 says that the gradients are not finite: the
// step then changes nothing at all. All are run_into ops: outputs are the state tensors, in place. Tensors are dense,
// of any shape (a flat range of a parameter is one too); tensor i takes row groups[i] of `hyper`. p is f32 or f64, m
// and v have its type and shape; g has its shape and may be narrower (f32 or bf16). compute_copy: empty, or one type a
// tensor: p after the step is also written in that type, in the same pass; p's own type says that this tensor has no
// such copy (its output is undefined). Cost: one pass over the memory (LAMB: two, the second without g).
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// AdamW (Loshchilov & Hutter 2019, eq. as torch.optim.AdamW): p ← p·(1 − lr·wd); m ← β1 m + (1−β1) g; v ← β2 v + (1−β2)
// g²; p ← p − lr · (m / bias1) / (sqrt(v / bias2) + eps). hyper columns: lr, beta1, beta2, eps, weight_decay, bias1 = 1
// − β1^t, bias2 = 1 − β2^t. `decoupled` false is Adam with the decay added to the gradient. Inputs: hyper, factor, then
// p, g, m, v of each tensor; outputs: p, m, v of each (aliasing), and with `compute_copy` a fourth, the compute copy of
// p.
struct AdamWStep {
  static constexpr std::string_view kName = "adamw_step";
  static constexpr int kHyperColumns = 7;
  std::vector<std::int32_t> groups = {};
  bool decoupled = true;
  std::vector<DType> compute_copy = {};
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const AdamWStep&) const = default;
};

// SGD with momentum as torch.optim.SGD: g ← g + wd·p; m ← μ m + (1−damp) g (m = g at the first step); g ← nesterov ? g
// + μ m : m; p ← p − lr g. hyper columns: lr, momentum, dampening, weight_decay, first (1 at the first step, else 0).
// Inputs: hyper, factor, then p, g, m; outputs p, m. m may be undefined: then there is no momentum, whatever its column
// says.
struct SgdStep {
  static constexpr std::string_view kName = "sgd_step";
  static constexpr int kHyperColumns = 5;
  std::vector<std::int32_t> groups = {};
  bool nesterov = false;
  std::vector<DType> compute_copy = {};
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const SgdStep&) const = default;
};

// Lion (Chen et al. 2023): p ← p·(1 − lr·wd); p ← p − lr·sign(β1 m + (1−β1) g); m ← β2 m + (1−β2) g. hyper columns: lr,
// beta1, beta2, weight_decay. Inputs and outputs as SgdStep, m defined.
struct LionStep {
  static constexpr std::string_view kName = "lion_step";
  static constexpr int kHyperColumns = 4;
  std::vector<std::int32_t> groups = {};
  std::vector<DType> compute_copy = {};
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const LionStep&) const = default;
};

// LAMB (You et al. 2020): u = (m / bias1) / (sqrt(v / bias2) + eps) + wd·p; p ← p − lr·ratio·u with ratio = |p| / |u|
// of each tensor (1 when either is 0, and for groups whose column `adapt` is 0). hyper columns: lr, beta1, beta2, eps,
// weight_decay, bias1, bias2, adapt. Inputs and outputs as AdamWStep.
struct LambStep {
  static constexpr std::string_view kName = "lamb_step";
  static constexpr int kHyperColumns = 8;
  std::vector<std::int32_t> groups = {};
  std::vector<DType> compute_copy = {};
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const LambStep&) const = default;
};

// Sum of squares of all elements of each tensor, in f64, in a fixed order: n tensors -> f64 [n].
struct SquaredNorms {
  static constexpr std::string_view kName = "squared_norms";
  std::vector<TensorSpec> infer(Specs inputs) const;
};

// (squared sums f64 [n], scale f64 [1]) -> (factor f64 [1], norm f64 [1]): norm = scale · sqrt(sum), factor = scale ·
// min(1, max_norm / (norm + 1e-6)) as torch.nn.utils.clip_grad_norm_; max_norm <= 0 leaves factor = scale. A norm that
// is not finite gives factor 0, so that the step changes nothing; the engine reads the norm and reports it. Several
// squared sums (one a tensor, or one a rank) are added in the order of their index.
struct ClipFactor {
  static constexpr std::string_view kName = "clip_factor";
  double max_norm = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const ClipFactor&) const = default;
};

// Exponential moving average over many tensors: e ← d·e + (1−d)·p with d = decay f64 [1] on the device. Inputs: decay,
// then e, p of each; outputs: e.
struct EmaStep {
  static constexpr std::string_view kName = "ema_step";
  std::vector<TensorSpec> infer(Specs inputs) const;
};

}  // namespace strata::ops
