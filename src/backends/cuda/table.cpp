// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda.hpp"
#include "backends/cuda/register.hpp"

namespace strata {

KernelTable make_cuda_table() {
  KernelTable table("cuda");
  cuda::register_cudnn_attention(table);  // asked first
  cuda::register_attention(table);
  cuda::register_concat(table);
  cuda::register_copy(table);
  cuda::register_cross_entropy(table);
  cuda::register_dropout(table);
  cuda::register_elementwise(table);
  cuda::register_exp(table);
  cuda::register_gather(table);
  cuda::register_gelu(table);
  cuda::register_l2_normalize(table);
  cuda::register_layer_norm(table);
  cuda::register_matmul(table);
  cuda::register_patches(table);
  cuda::register_reduce(table);
  cuda::register_regroup(table);
  cuda::register_resample(table);
  cuda::register_rounding(table);
  cuda::register_sigmoid_cross_entropy(table);
  cuda::register_softmax(table);
  cuda::register_step(table);
  return table;
}

}  // namespace strata
