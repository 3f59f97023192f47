// SPDX-License-Identifier: Apache-2.0
//
// The only place that speaks to oneDNN, and the only one that knows how 2.6 and 3.x differ: matrix products, whose
// primitives are made once a shape and kept. Numbers: the same for the same shapes, strides and thread count, call
// after call.
#pragma once

#include <cstdint>
#include <memory>

#include "strata/runtime/backend.hpp"

namespace strata::cpu {

// c[g] = a[g] · b[g] + bias, for g < batch; a [m, k], b [k, n], c [m, n], bias [n]. Strides in elements, one of the two
// of each matrix is 1 for speed.
struct MatmulShape {
  struct Strides {
    std::int64_t batch = 0, row = 0, column = 1;
    bool operator==(const Strides&) const = default;
  };
  std::int64_t batch = 1, m = 0, n = 0, k = 0;  // all at least 1
  Strides a{}, b{}, c{};
  DType input = DType::f32;
  DType output = DType::f32;
  DType bias = DType::f32;
  bool has_bias = false;
  bool packed = false;  // b was laid out by MatmulCache::pack; its strides say how it lay before
  int threads = 1;
  bool operator==(const MatmulShape&) const = default;
};

// Thread-safe: several threads may run the same product at once. Keeps the latest used primitives, at most kCapacity.
// Scratch memory is asked of `memory`, once a call (the library's own would belong to the thread that made a
// primitive).
class MatmulCache {
 public:
  static constexpr std::size_t kCapacity = 512;

  // `rehearsal`: plans and allocates, but leaves the products undone.
  explicit MatmulCache(Backend& memory, bool rehearsal = false);
  ~MatmulCache();

  void run(const MatmulShape& shape, const void* a, const void* b, const void* bias, void* c);
  std::size_t size() const;

  // Whether this processor multiplies the type at all (bf16 needs AVX-512 in oneDNN 2.6).
  bool multiplies(DType type);
  // The library's own layout of b [k, n] for products with few or many rows. pack: from where shape.b says, to memory
  // of packed_bytes. `fast` says whether the library has more than its plain loops for this product with packed b.
  std::size_t packed_bytes(const MatmulShape& shape);
  void pack(const MatmulShape& shape, const void* b, void* packed);
  bool fast(MatmulShape shape);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::cpu
