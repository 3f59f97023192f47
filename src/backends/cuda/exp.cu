// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include "backends/cuda/map.cuh"
#include "backends/cuda/register.hpp"

namespace strata::cuda {
namespace {

struct Exponential {
  __device__ float operator()(float x) const { return expf(x); }
  __device__ double operator()(double x) const { return exp(x); }
};

void exponential(const ops::Exp&, Inputs in, Outputs out, Context& ctx) {
  map("exp", in[0], out[0], Exponential{}, ctx);
}

}  // namespace

void register_exp(KernelTable& table) { table.add<ops::Exp>("cuda", exponential, serves::anything); }

}  // namespace strata::cuda
