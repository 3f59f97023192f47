// SPDX-License-Identifier: Apache-2.0
//
// Attention as graphs that cuDNN knows: of its fused kernels nothing of size queries × keys comes into memory, but for
// exact gradients. Plans are kept with the backend.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "backends/cuda/attention_choice.hpp"
#include "backends/cuda/cudnn_graph.hpp"
#include "strata/runtime/context.hpp"

namespace strata::cuda {

// What memory is bound to. Ids of ragged offsets are those of their tensors plus kOffsets.
enum AttentionTensor : CudnnGraph::Id {
  kQuery = 1,
  kKey,
  kValue,
  kOutput,
  kStatistics,  // lse [Tq, A]
  kOutputGradient,
  kQueryGradient,
  kKeyGradient,
  kValueGradient,
  kDeltas,            // do · o, [Tq, A] f32: cuDNN's to fill
  kQueryAccumulator,  // dq [Tq, heads of a run × width] f32, where gradients need not be exact: cuDNN's to fill
  kTensors,
  kQueryLengths = 20,  // i32, of each segment
  kKeyLengths,
  kScale,     // by value
  kOne,       // by value, for gradients
  kInfinity,  // by value, minus infinity
  kOffsets = 100
};

// All that a plan was made for: AttentionChoice's numbers, and how far rows of each tensor are apart (elements).
struct AttentionKey {
  bool backward = false, ragged = false, exact = true;
  std::int64_t segments = 0, queries = 0, keys = 0, heads = 0, head_width = 0;
  std::array<std::int64_t, kTensors> rows{};
  auto operator<=>(const AttentionKey&) const = default;
};

CudnnGraph attention_graph(const AttentionKey& key);

// Not thread-safe: the backend's lock on cuDNN is held.
class AttentionPlans {
 public:
  explicit AttentionPlans(int device) : index_(device) {}
  const CudnnPlan* of(const AttentionKey& key);  // nullptr: cuDNN refuses it
  std::size_t asked() const { return known_.size(); }
  std::size_t refused() const;

 private:
  int index_;
  std::optional<Descriptor> device_;
  std::map<AttentionKey, std::unique_ptr<CudnnPlan>> known_;
};

struct CudnnTools {
  cudnnHandle_t handle;
  std::mutex& lock;
  AttentionPlans& plans;
  AttentionSetting setting;
};
CudnnTools cudnn_tools(const Context& ctx);  // of its backend

}  // namespace strata::cuda
