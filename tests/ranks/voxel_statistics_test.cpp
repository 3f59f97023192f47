// SPDX-License-Identifier: Apache-2.0
//
// Statistics of voxels: those of a plain loop over the same studies, and the same bits on any number of ranks.
#include "strata/engine/voxel_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"
#include "tests/support/ranks.hpp"

namespace strata::engine {
namespace {

constexpr std::int64_t kBatch = 8, kStudies = 40;  // of a hundred

models::HierarchicalVit3dConfig standardising() {
  auto config = fixtures::small_encoder(1);
  config.study_blocks = {0};
  config.standardise_voxels = true;
  return config;
}

data::LoaderOptions loading(const comm::Communicator& world) {
  return fixtures::small_loading(kBatch, 4, world.rank(), world.size());
}

struct Expected {
  std::vector<double> mean, deviation;  // of values in [0, 1]
};

// Two passes, over all scans that one rank alone reads in these steps.
Expected of_studies() {
  data::Loader loader({{fixtures::small_studies_with_reports()}}, fixtures::small_loading(kBatch, 4, 0, 1));
  std::vector<std::vector<double>> scans;
  for (std::int64_t step = 0; step < kStudies / kBatch;) {
    const auto batch = loader.next();
    const std::int64_t places = batch->scans.numel() / std::max<std::int64_t>(1, batch->scans.dim(0));
    for (std::int64_t s = 0; s < batch->scans.dim(0); ++s) {
      auto& scan = scans.emplace_back();
      for (std::int64_t i = 0; i < places; ++i)
        scan.push_back(batch->scans.data<std::uint8_t>()[s * places + i] * batch->scale + batch->shift);
    }
    step += batch->last_of_step();
  }
  Expected expected;
  for (std::size_t i = 0; i < scans.front().size(); ++i) {
    double sum = 0, squares = 0;
    for (const auto& scan : scans) sum += scan[i];
    const double mean = sum / static_cast<double>(scans.size());
    for (const auto& scan : scans) squares += (scan[i] - mean) * (scan[i] - mean);
    expected.mean.push_back(mean);
    expected.deviation.push_back(std::sqrt(squares / static_cast<double>(scans.size())));
  }
  return expected;
}

TEST(VoxelStatistics, StandardiseAsAPlainLoopSaysOnAnyNumberOfRanks) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    models::HlipVisualEncoder encoder(device.ctx, DType::f32, standardising());
    data::Loader loader({{fixtures::small_studies_with_reports()}}, loading(world));
    measure_voxels(device.ctx, encoder.trunk, loader, world, kStudies);
    EXPECT_EQ(loader.state().position, 0);

    // What becomes of a scan in which every voxel is `value`, through the tower's own way in.
    const double value = 0.6;
    models::StudyBatch batch;
    batch.scans = device.ctx.tensor(std::vector<float>(4 * 16 * 16, static_cast<float>(value)), {1, 1, 4, 16, 16});
    batch.study_offsets = {0, 1};
    batch.ordinals = {5};
    models::normalise_intensity(batch, 1);
    autograd::Tape tape(device.ctx, {.record = false});
    const auto seen = device.ctx.to_host<float>(encoder.prepare(tape, batch).scans);
    const Expected expected = of_studies();
    ASSERT_EQ(seen.size(), expected.mean.size());
    for (std::size_t i = 0; i < seen.size(); ++i)
      ASSERT_NEAR(seen[i], (value - expected.mean[i]) / (expected.deviation[i] + kLeastVoxelDeviation), 2e-5) << i;

    // Bits, not values: a resumed run or one on more ranks must see the same.
    const auto alone = comm::make_local();
    models::HlipVisualEncoder other(device.ctx, DType::f32, standardising());
    data::Loader whole({{fixtures::small_studies_with_reports()}}, loading(*alone));
    measure_voxels(device.ctx, other.trunk, whole, *alone, kStudies);
    EXPECT_EQ(device.ctx.to_host<float>(encoder.trunk.voxel_scale->value()),
              device.ctx.to_host<float>(other.trunk.voxel_scale->value()));
    EXPECT_EQ(device.ctx.to_host<float>(encoder.trunk.voxel_shift->value()),
              device.ctx.to_host<float>(other.trunk.voxel_shift->value()));
  });
}

TEST(VoxelStatistics, NeedATowerOfTheirGrid) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    data::Loader loader({{fixtures::small_studies_with_reports()}}, loading(world));
    const auto said = [&](const models::HierarchicalVit3dConfig& config) {
      models::HlipVisualEncoder encoder(device.ctx, DType::f32, config);
      return fixtures::message_of([&] { measure_voxels(device.ctx, encoder.trunk, loader, world, 8); },
                                  ErrorKind::usage);
    };
    auto plain = standardising(), larger = standardising();
    plain.standardise_voxels = false;
    larger.image = {4, 16, 24};
    EXPECT_NE(said(plain).find("no buffers for statistics"), std::string::npos);
    EXPECT_NE(said(larger).find("[1, 4, 16, 16]"), std::string::npos);
  });
}

}  // namespace
}  // namespace strata::engine
