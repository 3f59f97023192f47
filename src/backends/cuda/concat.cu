// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/concat.hpp"

#include "backends/cuda/copy.hpp"
#include "backends/cuda/register.hpp"

namespace strata::cuda {
namespace {

void concat(const ops::Concat& op, Inputs in, Outputs out, Context& ctx) {
  std::int64_t begin = 0;
  for (const auto& part : in) {
    const std::int64_t end = begin + part.dim(op.axis);
    copy_view(part, out[0].slice(op.axis, begin, end), ctx);
    begin = end;
  }
}

}  // namespace

void register_concat(KernelTable& table) { table.add<ops::Concat>("cuda", concat, serves::anything); }

}  // namespace strata::cuda
