// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "strata/nn/tokens.hpp"

namespace strata::nn {
namespace {

std::int64_t inputs_of(std::int64_t channels, const ops::PatchGeometry& g) {
  return channels * g.patch[0] * g.patch[1] * g.patch[2];
}

// PyTorch's convolution starts from Kaiming's uniform with a = sqrt(5), which is uniform in ±1/sqrt(fan in), for weight
// and bias alike.
Linear::Options options_of(std::int64_t channels, const ops::PatchGeometry& g, std::int64_t width) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(inputs_of(channels, g)));
  Linear::Options options;
  options.weight_init = options.bias_init = Init::uniform(bound);
  options.out_axes = {{"embed", width}};
  options.in_axes = {{"channels", channels}, {"patch_d", g.patch[0]}, {"patch_h", g.patch[1]}, {"patch_w", g.patch[2]}};
  options.weight_shape = Shape{width, channels, g.patch[0], g.patch[1], g.patch[2]};
  return options;
}

}  // namespace

PatchEmbed3d::PatchEmbed3d(const Context& ctx, DType dtype, std::int64_t channels, ops::PatchGeometry geometry,
                           std::int64_t width)
    : proj(ctx, dtype, inputs_of(channels, geometry), width, options_of(channels, geometry, width)),
      geometry_(geometry) {
  add("proj", proj);
}

Variable PatchEmbed3d::forward(Tape& tape, const Variable& scans, double scale, double shift, const Tensor& kept) {
  const ops::PatchUnfold unfold{geometry_, scale, shift, proj.weight->spec().dtype};
  return bordered(tape, scans, [&](const Variable& x) {
    const Variable patches = tape.apply1(unfold, {x, kept.defined() ? tape.constant(kept) : Variable()});
    return tape.cast(proj.forward(tape, patches), ops::accumulation_type(unfold.to));  // [tokens, C]
  });
}

}  // namespace strata::nn
