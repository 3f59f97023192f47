// SPDX-License-Identifier: Apache-2.0
#include "strata/tensor/memory_kind.hpp"

namespace strata {

std::string_view name_of(MemoryKind kind) {
  constexpr std::array<std::string_view, kMemoryKinds> kNames{"parameters",  "optimizer", "gradients",
                                                              "activations", "work",      "other"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace strata
