// SPDX-License-Identifier: Apache-2.0
//
// One training step of a study encoder on synthetic scans, made to be timed, profiled and rehearsed: forward, backward,
// clipping, optimizer. A rehearsal runs the very same step on a backend whose kernels allocate and compute nothing
// (HostMemory::rehearsed), so that the memory of a job is known in milliseconds, on any machine, before it starts.
#pragma once

#include <string>
#include <vector>

#include "app/wiring.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/optim/optimizer.hpp"

namespace strata::app {

struct TrainingCase {
  models::HierarchicalVit3dConfig config;
  std::int64_t studies = 1, scans = 1;  // of the batch, and of each of them
  DType dtype = DType::f32;             // bf16: mixed precision with f32 masters
  autograd::Checkpointing checkpointing = autograd::Checkpointing::none;
  optim::OptimizerConfig optimizer{.beta2 = 0.95, .eps = 1e-6};
  double max_norm = 1;
};

struct StepSeconds {
  double forward = 0, backward = 0, clipping = 0, update = 0;
  double total() const { return forward + backward + clipping + update; }
};

class BenchTraining {
 public:
  // `rehearsed`: weights and scans keep whatever is in memory, and numbers are not looked at.
  BenchTraining(const Context& ctx, const TrainingCase& what, bool rehearsed = false);

  // The loss is sum(embedding · r) with r fixed. Any context of the device that the model was made on. The host waits
  // for the device after each part, so that parts can be told apart.
  StepSeconds step(Context& ctx);
  // The same without waiting in between, but where training does: seconds of all of it.
  double whole_step(Context& ctx);
  // The same for a context whose kernels are profiled: the gradients' norm may be anything (app/bench_profile.hpp).
  double profiled_step(Context& ctx);

  std::int64_t parameters() const;  // trainable elements
  std::int64_t patch_tokens() const { return patch_tokens_; }
  double forward_flops() const { return forward_flops_; }                  // by formula: perf/README.md
  double step_flops() const { return 3 * forward_flops_ - embed_flops_; }  // the voxels want no gradient
  double optimizer_bytes() const;

 private:
  enum class Mode : std::uint8_t { by_part, whole, profiled };
  StepSeconds step(Context& ctx, Mode mode);
  void start_weights(Context& ctx);
  void count_work(Context& ctx);

  TrainingCase what_;
  bool rehearsed_;
  models::HlipVisualEncoder model_;
  optim::Optimizer optimizer_;
  std::vector<std::shared_ptr<autograd::Leaf>> leaves_;
  models::StudyBatch batch_;
  Tensor cotangent_;
  std::int64_t patch_tokens_ = 0;
  double forward_flops_ = 0, embed_flops_ = 0;
};

struct Prediction {
  MemoryReport memory;  // of a step in the steady state: optimizer state exists
  std::int64_t parameters = 0, patch_tokens = 0;
  double forward_flops = 0, step_flops = 0, optimizer_bytes = 0;
};

// Rehearses two steps and reports the second. What it counts is what the backend's allocator hands out; memory inside
// libraries (oneDNN), the program itself and its stacks are not in it. Rehearsals are the host's: for a device it
// counts tensors alone, without what its kernels take for the time of a call.
Prediction predict_training(std::string_view backend, int threads, const TrainingCase& what);

}  // namespace strata::app
