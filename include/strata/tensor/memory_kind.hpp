// SPDX-License-Identifier: Apache-2.0
//
// What device memory is held for, so that a report can say more than one number. A label, not a pool: all kinds share
// the same allocator, and a block changes its kind when its role changes (a product of backward becomes a gradient).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace strata {

enum class MemoryKind : std::uint8_t {
  parameters,   // weights and buffers as the forward pass reads them
  optimizer,    // master weights, moments, averages
  gradients,    // of parameters
  activations,  // what the forward pass made, and what backward computes again of it
  work,         // on its way: gradients of activations, scratch and packed weights of kernels
  other,        // batches, offsets, whatever nobody labelled
};
inline constexpr std::size_t kMemoryKinds = 6;

std::string_view name_of(MemoryKind kind);

// Bytes of each kind, indexed by MemoryKind.
using BytesByKind = std::array<std::int64_t, kMemoryKinds>;

}  // namespace strata
