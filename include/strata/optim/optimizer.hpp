// SPDX-License-Identifier: Apache-2.0
//
// Steps parameters by their gradients: all of them in one fused op, with state made at the first step. An optimizer
// knows no model, no loss and no ranks. It reads gradients that somebody summed, multiplied by a factor on the device
// (gradient_norm.hpp: clipping, 1/accumulation), writes masters and, where a parameter has one, the compute copy in the
// same pass. Cost: one pass over parameters, gradients and state (LAMB: two).
//
// For sharded training an optimizer may own only a part of each parameter: see Share. Its contract with ZeRO: stage 1
// gives shares and leaves full gradients in the parameters; stages 2 and 3 also hand in their own shards through
// `step(ctx, values, factor, tensors)`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/optim/groups.hpp"

namespace strata::optim {

enum class Algorithm : std::uint8_t { adamw, adam, sgd, lion, lamb };

// How bf16 compute copies come of f32 masters. Stochastic: ops/rounding.hpp; another pass over masters and copies.
enum class Rounding : std::uint8_t { nearest, stochastic };

std::string_view name_of(Algorithm algorithm);
Algorithm parse_algorithm(std::string_view name);  // unknown name: usage error with the nearest one

// Equations and sources: ops/step.hpp. Learning rate and weight decay come with each step (StepValues).
struct OptimizerConfig {
  Algorithm algorithm = Algorithm::adamw;
  double beta1 = 0.9, beta2 = 0.999;   // adamw, adam, lion, lamb
  double eps = 1e-8;                   // adamw, adam, lamb
  double momentum = 0, dampening = 0;  // sgd
  bool nesterov = false;               // sgd; needs momentum and no dampening
  bool always_adapt =
      false;  // lamb: trust ratio also for parameters without weight decay, where it is 1 otherwise (as timm)
  Rounding rounding = Rounding::nearest;
  std::uint64_t seed = 0;  // of stochastic rounding
};

struct StepValues {
  double lr = 0;
  double weight_decay = 0;  // adamw, lion: decoupled; adam, sgd: added to the gradient; lamb: added to the update
};

// What an optimizer owns of a parameter: elements [begin, end) of its local storage in row-major order; end -1: to the
// last one.
struct Share {
  nn::ParameterPtr parameter;
  std::int64_t begin = 0;
  std::int64_t end = -1;
  std::int64_t numel() const;
};

std::vector<Share> whole_shares(const std::vector<nn::ParameterPtr>& parameters);  // skips buffers
// The parts that elements [begin, end) of all parameters laid end to end fall into; parameters outside get no share.
std::vector<Share> shares_of_range(const std::vector<nn::ParameterPtr>& parameters, std::int64_t begin,
                                   std::int64_t end);

// Memory of one share, one-dimensional and dense. `copy` may be undefined.
struct ShareTensors {
  Tensor master, grad, copy;
};

// One tensor of state for checkpoints. `value` is the memory itself: reading a checkpoint writes into it.
struct OptimizerState {
  std::string name;  // "blocks.0.attn.qkv.weight.exp_avg", ".exp_avg_sq", ".momentum", ".step"
  Tensor value;  // in the parameter's shape when the share is whole, else [elements]; ".step" is i64 [] in host memory
  Placement placement;              // of the parameter; a scalar (no axes) for ".step"
  std::int64_t begin = 0, end = 0;  // which elements of the placed box, row-major
  Shape global;                     // of the whole
};

class Optimizer {
 public:
  // Bad settings (betas of 1 or more, negative eps or momentum, ...), a parameter or name that occurs twice, rules that
  // match nothing: usage errors. LAMB needs whole parameters (its trust ratio is a norm over each): a share or
  // placement that is a part is a usage error.
  Optimizer(OptimizerConfig config, std::vector<Share> shares, const std::vector<GroupRule>& rules = no_decay_rules());
  Optimizer(OptimizerConfig config, const std::vector<nn::ParameterPtr>& parameters,
            const std::vector<GroupRule>& rules = no_decay_rules());

  const OptimizerConfig& config() const { return config_; }
  const std::vector<Share>& shares() const { return shares_; }
  const std::vector<GroupSettings>& settings() const { return settings_; }  // of each share

  // Shares stepped now: trainable and not frozen. `step` and `gradients` speak of these, in this order.
  std::vector<std::size_t> active() const;
  std::vector<Tensor> gradients() const;  // flat views; an active parameter without gradient: usage error that names it

  // One step. `factor` f64 [1] on the device multiplies every gradient; 0 leaves all memory as it is (the
  // step is counted all the same, and copies that are rounded stochastically are drawn anew); undefined: 1. Stochastic
  // rounding of a parameter whose placement is a part of it: usage error (a share may be a part).
  void step(Context& ctx, const StepValues& values, const Tensor& factor = {});
  void step(Context& ctx, const StepValues& values, const Tensor& factor, std::span<const ShareTensors> tensors);
  void clear_gradients() const;
  // Draws stochastically rounded copies as the last step left them: after masters and state came from a checkpoint.
  void restore_copies(Context& ctx);

  // Before the first step there is none, unless made here (to read a checkpoint into it). Adds what is missing, as
  // zeros.
  void create_state(Context& ctx);
  std::vector<OptimizerState> state() const;

 private:
  struct Moments {
    Tensor first, second;  // flat, in the master's type; undefined where the algorithm has none
  };

  void create_state(Context& ctx, std::size_t share, DType type);
  ShareTensors tensors_of(std::size_t share) const;
  std::vector<double> hyper_row(const StepValues& values, std::size_t share) const;
  bool draws_copy(std::size_t share, const ShareTensors& tensors) const;  // this share's copy is rounded stochastically
  void draw_copies(Context& ctx, const std::vector<std::size_t>& indexes, const std::vector<ShareTensors>& tensors);
  std::int64_t& steps(std::size_t share) const;

  OptimizerConfig config_;
  std::vector<Share> shares_;
  std::vector<GroupSettings> settings_;
  std::vector<Moments> moments_;
  bool created_ = false;        // create_state was asked for
  Tensor steps_;                // i64 [shares] on the host: a share frozen for a while counts its own
  Tensor hyper_, one_, draws_;  // on the device, kept so that a captured step finds them again
};

}  // namespace strata::optim
