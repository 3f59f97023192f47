// SPDX-License-Identifier: Apache-2.0
//
// Weights in the layout that the matrix units like, packed once and kept until their contents change: an entry belongs
// to a piece of a storage and to its version, so a step of the optimizer makes it stale and the next use packs again,
// into the same memory. Entries of storages that are gone are dropped when something new is packed. Costs as much
// memory as the weights themselves, once for products with b = Wᵀ (forward) and once for b = W (backward). Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "backends/cpu/onednn.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::cpu {

class PackedWeights {
 public:
  PackedWeights(Backend& memory, MatmulCache& library) : memory_(memory), library_(library) {}
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  // Memory that holds `weight` as b of `shape` (b's strides say how it lies); valid while the pointer is held.
  std::shared_ptr<const void> get(const MatmulShape& shape, const Tensor& weight);
  std::int64_t bytes() const;  // held now

 private:
  struct Block;
  struct Entry {
    std::weak_ptr<Storage> owner;
    std::uint64_t version = 0;
    std::shared_ptr<Block> block;
  };
  // Storage id, byte offset, k, n, row and column stride, element type.
  using Key = std::tuple<std::uint64_t, std::size_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, DType>;

  void drop_orphans();

  Backend& memory_;
  MatmulCache& library_;
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
};

}  // namespace strata::cpu
