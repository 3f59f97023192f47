// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry point, built once a target with STRATA_FUZZ_TARGET naming the function.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strata::fuzz::STRATA_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
