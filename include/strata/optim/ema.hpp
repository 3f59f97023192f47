// SPDX-License-Identifier: Apache-2.0
//
// An exponential moving average of a model's weights, e ← d·e + (1 − d)·p after each step, kept in the masters' type
// and swapped into the model for evaluation. The decay of each update is the caller's (a constant, growing_decay, a
// teacher's schedule). Not for a teacher that is a module of its own: ema_update averages one model into another. Cost:
// one more copy of the weights, and one pass over both an update.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "strata/nn/parameter.hpp"

namespace strata::optim {

// averages[i] ← decay·averages[i] + (1 − decay)·values[i], equal shapes, in one fused op. A decay outside [0, 1]: usage
// error.
void ema_update(Context& ctx, std::span<const Tensor> averages, std::span<const Tensor> values, double decay);

class Ema {
 public:
  // Averages start as copies of the parameters. Buffers are left out.
  Ema(Context& ctx, const std::vector<nn::ParameterPtr>& parameters);

  void update(Context& ctx, double decay);  // while swapped: usage error
  std::int64_t updates() const { return *updates_.data<std::int64_t>(); }

  // Exchanges averages and weights, contents and not memory, so every view stays valid; again to bring them back, bit
  // for bit. Compute copies of weights are kept meanwhile.
  void swap(Context& ctx);
  bool swapped() const { return swapped_; }

  // For checkpoints: the memory itself. "blocks.0.attn.qkv.weight.ema" in the parameter's shape, and "ema.updates", i64
  // [] on the host.
  struct State {
    std::string name;
    Tensor value;
    Placement placement;
    Shape global;  // of the whole
  };
  std::vector<State> state() const;

 private:
  std::vector<nn::ParameterPtr> parameters_;
  std::vector<Tensor> averages_;
  std::vector<Tensor> copies_;  // of the weights, while the averages are in the model
  Tensor updates_;
  bool swapped_ = false;
};

// Runs `body` with the averages in the model, and brings the weights back whether it returns or throws.
template <class Body>
void with_averages(Context& ctx, Ema& ema, const Body& body) {
  ema.swap(ctx);
  try {
    body();
  } catch (...) {
    ema.swap(ctx);
    throw;
  }
  ema.swap(ctx);
}

}  // namespace strata::optim
