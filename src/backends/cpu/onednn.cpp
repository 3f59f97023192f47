// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/onednn.hpp"

#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "backends/cpu/cpu.hpp"

namespace strata {

std::string onednn_version() {
  const auto* version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace strata
