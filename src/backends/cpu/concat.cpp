// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/concat.hpp"

#include "backends/cpu/copy.hpp"
#include "backends/cpu/kernels.hpp"

namespace strata::cpu {
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

void add_concat(KernelTable& table) { table.add<ops::Concat>("memory", concat, serves::anything); }

}  // namespace strata::cpu
