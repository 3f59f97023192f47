// SPDX-License-Identifier: Apache-2.0
//
// The only place that speaks to oneDNN, and the only one that knows how 2.6 and 3.x differ: matrix products, whose
// primitives are made once a shape and kept. Numbers: the same for the same shapes, strides and thread count, call
// after call.
#pragma once

#include <cstdint>
#include <memory>

#include "strata/tensor/dtype.hpp"

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
  int threads = 1;
  bool operator==(const MatmulShape&) const = default;
};

// Thread-safe. Keeps the latest used primitives, at most kCapacity.
class MatmulCache {
 public:
  static constexpr std::size_t kCapacity = 512;

  MatmulCache();
  ~MatmulCache();

  void run(const MatmulShape& shape, const void* a, const void* b, const void* bias, void* c);
  std::size_t size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::cpu
