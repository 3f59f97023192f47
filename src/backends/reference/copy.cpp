// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/copy.hpp"

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void copy(const ops::Copy&, Inputs in, Outputs out, Context&) {
  if (is_floating(in[0].dtype()))
    store(out[0], load(in[0]));
  else
    store_integers(out[0], load_integers(in[0]));
}

void cast(const ops::Cast&, Inputs in, Outputs out, Context&) {
  if (is_floating(in[0].dtype()) || is_floating(out[0].dtype()))
    store(out[0], load(in[0]));
  else
    store_integers(out[0], load_integers(in[0]));
}

void fill(const ops::Fill& op, Inputs, Outputs out, Context&) { store(out[0], Values(at(out[0].numel()), op.value)); }

}  // namespace

void register_copy(KernelTable& table) {
  table.add<ops::Copy>("reference", copy, serves::anything);
  table.add<ops::Cast>("reference", cast, serves::anything);
  table.add<ops::Fill>("reference", fill, serves::anything);
}

}  // namespace strata::reference
