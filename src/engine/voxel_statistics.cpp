// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/voxel_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"

namespace strata::engine {
namespace {

// One place of the grid: sums of stored values, exact (2^47 values of i16 and more fit).
struct Sums {
  std::vector<std::int64_t> values;  // [places] sums, then [places] sums of squares, then the count
  std::int64_t places = 0;

  explicit Sums(std::int64_t n) : values(static_cast<std::size_t>(2 * n + 1), 0), places(n) {}

  template <class T>
  void add_scans(const Tensor& scans) {
    const auto n = static_cast<std::size_t>(places);
    const T* scan = scans.data<T>();
    for (std::int64_t s = 0; s < scans.dim(0); ++s, scan += n) {
      for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t v = scan[i];
        values[i] += v;
        values[n + i] += v * v;
      }
      ++values.back();
    }
  }

  void add(const Tensor& scans) {
    if (scans.dtype() == DType::u8)
      add_scans<std::uint8_t>(scans);
    else
      add_scans<std::int16_t>(scans);
  }
};

void add_steps(data::Loader& loader, std::int64_t steps, Sums& sums) {
  for (std::int64_t step = 0; step < steps;) {
    const auto batch = loader.next();
    if (!batch) return;
    sums.add(batch->scans);
    step += batch->last_of_step();
  }
}

}  // namespace

void measure_voxels(Context& ctx, models::HierarchicalVit3d& tower, data::Loader& loader, comm::Communicator& group,
                    std::int64_t studies) {
  STRATA_CHECK(tower.voxel_scale != nullptr, usage, tower.config().name, "has no buffers for statistics of voxels",
               "set model.standardise_voxels");
  const auto& grid = loader.mixture().grid();
  const Shape shape{grid.channels, grid.extents[0], grid.extents[1], grid.extents[2]};
  STRATA_CHECK(shape == tower.voxel_scale->global_shape(), usage, tower.config().name,
               fmt::format("the sets hold scans {}, the tower standardises voxels of {}", shape.str(),
                           tower.voxel_scale->global_shape().str()),
               "set model.image and model.channels to the sets' grid");
  const auto before = loader.state();
  const std::int64_t all = std::min(studies, loader.mixture().studies()), a_step = loader.options().batch_studies;
  Sums sums(shape.numel());
  add_steps(loader, std::max<std::int64_t>(1, all / a_step), sums);
  loader.seek(before);
  const auto length = static_cast<std::int64_t>(sums.values.size());
  group.all_reduce(Tensor::borrow(sums.values.data(), DType::i64, {length})).wait();

  // The model's own normalisation stands between u and the buffers: x = u·scale + shift, then x·rate + offset.
  models::StudyBatch published;
  models::normalise_intensity(published, 1);
  const auto count = static_cast<double>(sums.values.back());
  const auto places = static_cast<std::size_t>(sums.places);
  const Tensor rate = host_tensor(DType::f32, shape), offset = host_tensor(DType::f32, shape);
  for (std::size_t i = 0; i < places; ++i) {
    const double v = static_cast<double>(sums.values[i]) / count;
    const double variance = std::max(0.0, static_cast<double>(sums.values[places + i]) / count - v * v);
    const double mean = v * grid.value_scale + grid.value_shift;
    const double per = 1 / (std::sqrt(variance) * grid.value_scale + kLeastVoxelDeviation);  // of u
    rate.data<float>()[i] = static_cast<float>(per / published.scale);
    offset.data<float>()[i] = static_cast<float>(-(mean + published.shift / published.scale) * per);
  }
  tower.voxel_scale->assign(ctx, ctx.upload(rate));
  tower.voxel_shift->assign(ctx, ctx.upload(offset));
}

}  // namespace strata::engine
