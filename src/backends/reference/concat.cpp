// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/concat.hpp"

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

void concat(const ops::Concat& op, Inputs in, Outputs out, Context&) {
  std::int64_t begin = 0;
  for (const auto& input : in) {
    const std::int64_t end = begin + input.dim(op.axis);
    const Tensor place = out[0].slice(op.axis, begin, end);
    if (is_floating(input.dtype()))
      store(place, load(input));
    else
      store_integers(place, load_integers(input));
    begin = end;
  }
  STRATA_DCHECK(begin == out[0].dim(op.axis));
}

}  // namespace

void register_concat(KernelTable& table) { table.add<ops::Concat>("reference", concat, serves::anything); }

}  // namespace strata::reference
