// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/rounding.hpp"

#include "backends/cuda/philox.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/step_batch.cuh"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

constexpr int kBlockWords = 4;  // elements a thread takes at a time, and numbers of a Philox block

struct RoundedTensor {
  const void* from;
  void* to;
  std::int64_t numel;
  bool packed;
};
using RoundedBatch = Batch<RoundedTensor, 96, 4096>;

// The numbers of four elements from `element` on: of one Philox block, or of two.
__device__ __forceinline__ void draw_words(const std::int64_t* draw, std::uint64_t element, PhiloxKey key,
                                           std::uint32_t (&words)[kBlockWords]) {
  const auto step = static_cast<std::uint32_t>(draw[1]);
  PhiloxWords block{};
#pragma unroll
  for (int k = 0; k < kBlockWords; ++k) {
    const std::uint64_t own = element + static_cast<std::uint64_t>(k);
    const auto which = static_cast<unsigned>(own & 3u);
    if (k == 0 || which == 0)
      block = philox(philox_counter(static_cast<std::uint64_t>(draw[0]), step >> 20, step & 0xfffffu,
                                    static_cast<std::uint32_t>(own >> 2)),
                     key);
    words[k] = which == 0 ? block.v[0] : which == 1 ? block.v[1] : which == 2 ? block.v[2] : block.v[3];
  }
}

// `draws`: rows of the batch's entries.
__global__ void __launch_bounds__(kThreads)
    round_all(const __grid_constant__ RoundedBatch batch, const std::int64_t* draws, PhiloxKey key) {
  constexpr int V = kBlockWords;
  const Piece piece = own_piece(batch);
  const RoundedTensor& tensor = batch.entries[piece.entry];
  const std::int64_t* draw = draws + 3 * static_cast<std::int64_t>(piece.entry);
  const auto* from = static_cast<const std::uint32_t*>(tensor.from);  // the bits of f32 and bf16
  auto* to = static_cast<std::uint16_t*>(tensor.to);
  for (std::int64_t at = piece.begin + threadIdx.x * V; at < piece.end; at += kThreads * V) {
    const int n = static_cast<int>(piece.end - at < V ? piece.end - at : V);
    std::uint32_t words[V];
    draw_words(draw, static_cast<std::uint64_t>(draw[2] + at), key, words);
    if (tensor.packed && n == V) {
      const auto bits = *reinterpret_cast<const Pack<std::uint32_t, V>*>(from + at);
      Pack<std::uint16_t, V> rounded;
#pragma unroll
      for (int k = 0; k < V; ++k) rounded.v[k] = ops::round_stochastically(bits.v[k], words[k]);
      *reinterpret_cast<Pack<std::uint16_t, V>*>(to + at) = rounded;
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k)
        if (k < n) to[at + k] = ops::round_stochastically(from[at + k], words[k]);
    }
  }
}

void round_stochastically(const ops::RoundStochastically& op, Inputs in, Outputs out, Context& ctx) {
  std::vector<RoundedTensor> tensors;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool packed = lies_on_packs(in[1 + i], kBlockWords) && lies_on_packs(out[i], kBlockWords);
    tensors.push_back({in[1 + i].raw(), out[i].raw(), out[i].numel(), packed});
  }
  each_batch<RoundedBatch>(tensors, [&](const RoundedBatch& batch, std::size_t at) {
    if (batch.blocks() == 0) return;
    launch(op.kName.data(), round_all, {.blocks = batch.blocks(), .threads = kThreads}, ctx, batch,
           pointer<std::int64_t>(in[0]) + 3 * at, philox_key(op.key));
  });
}

}  // namespace

void register_rounding(KernelTable& table) {
  table.add<ops::RoundStochastically>("cuda", round_stochastically, serves::anything);
}

}  // namespace strata::cuda
