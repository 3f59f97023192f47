// SPDX-License-Identifier: Apache-2.0
//
// The start of a 3-D trunk from a 2-D MAE ViT, and the position tables, against published values.
#include <gtest/gtest.h>

#include "strata/io/host_copy.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/golden_file.hpp"

namespace strata {
namespace {

using fixtures::published_golden;
using fixtures::relative_error;

std::map<std::string, Tensor> mae_weights(const io::SafetensorsFile& file, const nn::Module& trunk,
                                          const Context& ctx) {
  std::map<std::string, Tensor> weights;
  for (const auto& entry : file.entries())
    if (entry.name.starts_with("in.")) weights[entry.name.substr(3)] = file.load(entry);
  for (const auto& [path, parameter] : trunk.named_parameters())  // blocks are copied as they are
    if (path.starts_with("blocks.") || path.starts_with("norm.")) weights[path] = ctx.download(parameter->value());
  return weights;
}

TEST(MaeInitialisation, EqualsThePublishedOne) {
  const auto path = published_golden("hlip_init_from_2d_mae");
  if (!path) GTEST_SKIP() << "no published golden values: set STRATA_GOLDEN_DIR to their folder";
  const io::SafetensorsFile file(*path);
  for (const auto& backend : conformance::make_backends()) {
    Context ctx = backend.context();
    models::HierarchicalVit3d trunk(ctx, DType::f32, fixtures::golden_config(file));
    nn::initialise(ctx, trunk, 1);
    auto weights = mae_weights(file, trunk, ctx);
    weights["decoder.weight"] = host_tensor(DType::f32, {2});
    EXPECT_EQ(models::initialise_from_mae2d(ctx, trunk, weights), std::vector<std::string>{"decoder.weight"});
    for (const char* name : {"cls_token", "spatial_posemb", "patch_embed.proj.weight", "patch_embed.proj.bias"})
      EXPECT_LE(relative_error(ctx, trunk.parameter(name)->value(), file.load(std::string("out.") + name)), 2e-6)
          << name << " on " << backend.name;

    weights.erase("pos_embed");
    fixtures::expect_error(
        [&] { models::initialise_from_mae2d(ctx, trunk, weights); }, ErrorKind::data,
        "[MAE initialisation] the file has no tensor 'pos_embed': give a 2-D MAE ViT under timm's names");
  }
}

TEST(PositionTables, EqualThePublishedOnes) {
  const auto path = published_golden("hlip_h2_scan_study");
  if (!path) GTEST_SKIP() << "no published golden values: set STRATA_GOLDEN_DIR to their folder";
  const io::SafetensorsFile file(*path);
  const auto backends = conformance::make_backends();
  Context reference = backends.front().context();
  const models::HierarchicalVit3d trunk(reference, DType::f32, fixtures::golden_config(file));
  EXPECT_LE(relative_error(reference, trunk.position.spatial->value(), file.load("visual.trunk.spatial_posemb")), 1e-6);
  EXPECT_LE(relative_error(reference, trunk.position.sequential->value(), file.load("visual.trunk.sequential_posemb")),
            1e-6);
}

}  // namespace
}  // namespace strata
