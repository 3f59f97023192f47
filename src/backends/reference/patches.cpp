// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/patches.hpp"

#include <fmt/format.h>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

// Rows that stand for patches: all of them, or those that `kept` lists.
std::vector<std::int64_t> patches_of(std::string_view op, Inputs in, std::int64_t count) {
  std::vector<std::int64_t> patches;
  if (in.size() > 1 && in[1].defined()) {
    patches = load_integers(in[1]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) patches.push_back(i);
  }
  for (std::size_t i = 0; i < patches.size(); ++i)
    STRATA_CHECK(patches[i] >= 0 && patches[i] < count, data, op,
                 fmt::format("kept[{}] = {} is outside the {} patches of the volume", i, patches[i], count));
  return patches;
}

// Calls f(element of the rows, element of the volume) for every voxel of the given patches. volume: [S, Cin, D, H, W].
template <class F>
void for_each_voxel(std::string_view op, Inputs in, const Shape& volume, const ops::PatchGeometry& geometry, F f) {
  const auto [gd, gh, gw] = ops::patch_grid(op, volume, geometry);
  const auto [pd, ph, pw] = geometry.patch;
  std::int64_t element = 0;
  for (const auto patch : patches_of(op, in, volume[0] * gd * gh * gw)) {
    const auto w0 = patch % gw * pw, h0 = patch / gw % gh * ph, d0 = patch / (gw * gh) % gd * pd,
               scan = patch / (gw * gh * gd);
    for (std::int64_t c = 0; c < volume[1]; ++c)
      for (std::int64_t d = d0; d < d0 + pd; ++d)
        for (std::int64_t h = h0; h < h0 + ph; ++h)
          for (std::int64_t w = w0; w < w0 + pw; ++w)
            f(at(element++), at((((scan * volume[1] + c) * volume[2] + d) * volume[3] + h) * volume[4] + w));
  }
}

void patch_unfold(const ops::PatchUnfold& op, Inputs in, Outputs out, Context&) {
  const Values volume = load(in[0]);
  Values rows(at(out[0].numel()));
  for_each_voxel(op.kName, in, in[0].shape(), op.geometry,
                 [&](std::size_t row, std::size_t voxel) { rows[row] = volume[voxel] * op.scale + op.shift; });
  store(out[0], rows);
}

void patch_fold(const ops::PatchFold& op, Inputs in, Outputs out, Context&) {
  const Values rows = load(in[0]);
  Values volume(at(out[0].numel()), 0.0);
  for_each_voxel(op.kName, in, op.shape, op.geometry,
                 [&](std::size_t row, std::size_t voxel) { volume[voxel] += rows[row] * op.scale; });
  store(out[0], volume);
}

bool any_volume(const ops::PatchUnfold&, Specs) { return true; }

}  // namespace

void register_patches(KernelTable& table) {
  table.add<ops::PatchUnfold>("reference", patch_unfold, any_volume);
  table.add<ops::PatchFold>("reference", patch_fold, first_floating);
}

}  // namespace strata::reference
