// SPDX-License-Identifier: Apache-2.0
//
// A matrix product as the libraries' calls and the own kernel take it, and how tensors become one.
#pragma once

#include <cstdint>

#include "strata/runtime/context.hpp"

namespace strata::cuda {

// y [M, N] = a [M, K] · b [K, N] + bias [N] + residual [M, N], row-major, `batches` times. Leading dimensions are
// elements from one row to the next as stored; transposed operands are stored [K, M] and [N, K]. No rows, columns or
// batches is no product; K = 0 is one.
struct Product {
  std::int64_t m = 0, n = 0, k = 0, batches = 1;
  bool transpose_a = false, transpose_b = false;
  DType in = DType::f32, out = DType::f32;  // of a and b; of y and the residual
  const void *a = nullptr, *b = nullptr;
  std::int64_t lda = 0, ldb = 0, ldy = 0;
  std::int64_t batch_a = 0, batch_b = 0, batch_y = 0;  // elements from one batch to the next
  void* y = nullptr;
  const void* bias = nullptr;  // null: none
  DType bias_type = DType::f32;
  const void* residual = nullptr;
  std::int64_t ld_residual = 0;
  void* column_sums = nullptr;  // of a as stored, [M] in the type of y, where a is transposed; null: not wanted
};

// reduce.cu: the sums of x's columns, x dense.
void column_sums(const Tensor& x, const Tensor& sums, Context& ctx);

// cuBLASLt. False where it knows no algorithm: the own kernel serves then, or, where it was asked for column sums, the
// product without them.
bool multiply_with_cublaslt(const Product& product, Context& ctx);

}  // namespace strata::cuda
