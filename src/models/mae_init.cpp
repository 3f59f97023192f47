// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "strata/base/error.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/resample.hpp"

namespace strata::models {
namespace {

class Source {
 public:
  Source(Context& ctx, const std::map<std::string, Tensor>& weights, DType dtype)
      : ctx_(ctx), weights_(weights), dtype_(dtype) {}

  Tensor take(const std::string& name) {
    const auto found = weights_.find(name);
    STRATA_CHECK(found != weights_.end(), data, "MAE initialisation", fmt::format("the file has no tensor '{}'", name),
                 "give a 2-D MAE ViT under timm's names");
    used_.insert(name);
    return ops::cast(ctx_, ctx_.upload(found->second), dtype_);
  }
  bool has(const std::string& name) const { return weights_.contains(name); }

  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : weights_)
      if (!used_.contains(name)) names.push_back(name);
    return names;
  }

 private:
  Context& ctx_;
  const std::map<std::string, Tensor>& weights_;
  DType dtype_;
  std::set<std::string> used_;
};

void set(Context& ctx, nn::Parameter& parameter, const Tensor& value) {
  STRATA_CHECK(value.shape() == parameter.spec().shape, data, "MAE initialisation",
               fmt::format("'{}' has shape {}, the model wants {}", parameter.name(), value.shape().str(),
                           parameter.spec().shape.str()));
  parameter.assign(ctx, value);
}

// [C, channels, kh, kw] -> [C, 1, pd, ph, pw]
Tensor inflate_kernel(Context& ctx, const Tensor& kernel, const std::array<std::int64_t, 3>& patch) {
  STRATA_CHECK(kernel.ndim() == 4, data, "MAE initialisation",
               fmt::format("the patch kernel has shape {}, expected [C, channels, h, w]", kernel.shape().str()));
  const Tensor resized = ops::resample(ctx, kernel, 2, {patch[1], patch[2]}, ops::ResampleFilter::cubic);
  const Tensor summed = ops::run1(ctx, ops::Reduce{ops::Reduction::sum, 1, false}, {resized});  // [C, ph, pw]
  const std::int64_t width = summed.dim(0);
  const ops::Expand repeat{Shape{width, patch[0], patch[1], patch[2]}, 1, false, 1.0 / static_cast<double>(patch[0])};
  return ops::run1(ctx, repeat, {summed}).reshape({width, 1, patch[0], patch[1], patch[2]});
}

// [g·g, C] -> [1, d, h, w, C]: resized over h, w; plus sin-cos over d.
Tensor inflate_table(Context& ctx, const Tensor& table, std::int64_t side, const std::array<std::int64_t, 3>& grid) {
  const std::int64_t width = table.dim(-1);
  const Tensor plane = ops::resample(ctx, table.reshape({side, side, width}), 0, {grid[1], grid[2]},
                                     ops::ResampleFilter::cubic_antialias);  // [h, w, C]
  const Tensor repeated = ops::run1(ctx, ops::Expand{Shape{grid[0], grid[1], grid[2], width}, 0, false, 1}, {plane});
  const Tensor depth = nn::tensor_from(ctx, table.dtype(), {grid[0], width}, nn::sincos_1d(width, grid[0]));
  const Tensor along = ops::run1(ctx, ops::Expand{Shape{grid[0], grid[1] * grid[2], width}, 1, false, 1}, {depth});
  return ops::add(ctx, repeated.reshape(along.shape()), along).reshape({1, grid[0], grid[1], grid[2], width});
}

void set_position(Context& ctx, HierarchicalVit3d& trunk, Source& source) {
  const Tensor table = source.take("pos_embed");  // [1, prefix + g·g, C]
  STRATA_CHECK(table.ndim() == 3, data, "MAE initialisation",
               fmt::format("pos_embed has shape {}, expected [1, rows, C]", table.shape().str()));
  const std::int64_t rows = table.dim(1), width = table.dim(2);
  auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(rows))));
  const std::int64_t prefix = side * side == rows ? 0 : 1;
  side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(rows - prefix))));
  STRATA_CHECK(side * side == rows - prefix, data, "MAE initialisation",
               fmt::format("pos_embed has {} rows, which is no square grid with or without a class token", rows));
  const Tensor flat = table.reshape({rows, width});
  Tensor cls = source.take("cls_token");
  if (prefix == 1) cls = ops::add(ctx, cls, flat.slice(0, 0, 1).reshape({1, 1, width}));
  set(ctx, *trunk.cls_token, cls);
  set(ctx, *trunk.position.spatial, inflate_table(ctx, flat.slice(0, prefix, rows), side, trunk.config().grid()));
}

}  // namespace

std::vector<std::string> initialise_from_mae2d(Context& ctx, HierarchicalVit3d& trunk,
                                               const std::map<std::string, Tensor>& weights) {
  Source source(ctx, weights, trunk.cls_token->spec().dtype);
  set_position(ctx, trunk, source);
  for (const auto& [name, parameter] : trunk.named_parameters()) {
    if (name == "patch_embed.proj.weight")
      set(ctx, *parameter, inflate_kernel(ctx, source.take(name), trunk.config().patch));
    else if (name == "patch_embed.proj.bias" || name.starts_with("norm.") || name.starts_with("blocks."))
      set(ctx, *parameter, source.take(name));
  }
  return source.unused();
}

}  // namespace strata::models
