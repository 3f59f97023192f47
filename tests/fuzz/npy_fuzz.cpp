// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "io/npy/header.hpp"
#include "io/npy/npy.hpp"
#include "io/npy/npy_volume.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"

namespace strata::fuzz {

bool fuzz_npy(std::span<const std::byte> bytes) {
  accepts([&] {
    const auto volume = io::read_npy_volume(bytes, "fuzz");
    const auto& extents = volume.geometry.extents;
    promise(volume.voxels.size() == static_cast<std::size_t>(extents[0] * extents[1] * extents[2]),
            "voxels that are not D·H·W");
    promise(!volume.voxels.empty() && std::ranges::all_of(volume.voxels, [](float v) { return std::isfinite(v); }),
            "voxels that are not finite");
  });
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
