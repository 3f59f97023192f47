// SPDX-License-Identifier: Apache-2.0
//
// Kernels for emulated devices: the reference's, each on the calling thread when everything queued before it is done.
#include "backends/reference/reference.hpp"
#include "strata/runtime/context.hpp"
#include "tests/devices/device_kernels.hpp"

namespace strata::testing {

KernelTable device_kernels() {
  static const KernelTable reference = make_reference_table();
  return reference.wrapped([](const KernelTable::Entry& entry) -> KernelTable::Run {
    return [&entry](const void* op, Inputs in, Outputs out, Context& ctx) {
      ctx.synchronise();
      entry.run(op, in, out, ctx);
    };
  });
}

}  // namespace strata::testing
