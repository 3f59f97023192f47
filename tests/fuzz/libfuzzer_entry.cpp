// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry point, built once a target with STRATA_FUZZ_TARGET naming the function and, where seeds are made by
// code, STRATA_FUZZ_SEEDS naming theirs. `STRATA_FUZZ_SEED_FOLDER=folder fuzz_nifti -runs=0` writes them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/seeds.hpp"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace strata::fuzz {

inline std::vector<Seed> no_seeds() { return {}; }

}  // namespace strata::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = std::getenv("STRATA_FUZZ_SEED_FOLDER");
  if (folder == nullptr) return 0;
  std::filesystem::create_directories(folder);
  for (const auto& seed : strata::fuzz::STRATA_FUZZ_SEEDS())
    std::ofstream(std::filesystem::path(folder) / seed.name, std::ios::binary) << seed.bytes;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strata::fuzz::STRATA_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
