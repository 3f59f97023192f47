// SPDX-License-Identifier: Apache-2.0
#include "io/npy/header.hpp"
#include "io/npy/npy.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"

namespace strata::fuzz {

bool fuzz_npy(std::span<const std::byte> bytes) {
  return accepts([&] {
    const Tensor tensor = io::read_npy(bytes, "fuzz");
    promise(tensor.is_dense() && tensor.bytes() < bytes.size(), "an array larger than its file");
    io::first_non_finite(tensor);
    const std::string header = io::build_npy_header(tensor.spec());
    promise(header.size() % 64 == 0, "a header of " + std::to_string(header.size()) + " bytes");
    const auto again = io::parse_npy_header(std::string_view(header).substr(10), "again");
    promise(again.shape == tensor.shape() && again.dtype == tensor.dtype(), "writing and reading changed the header");
  });
}

}  // namespace strata::fuzz
