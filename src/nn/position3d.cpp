// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "strata/base/error.hpp"
#include "strata/base/random.hpp"
#include "strata/nn/tokens.hpp"
#include "strata/ops/concat.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/resample.hpp"

namespace strata::nn {
namespace {

Variable resampled(Tape& tape, Variable table, int axis, std::int64_t to) {
  const std::int64_t from = table.dim(axis);
  return from == to ? table : tape.apply1(ops::Resample{axis, from, to, ops::ResampleFilter::linear, false}, {table});
}

std::vector<double> spatial_values(std::int64_t width, const std::array<std::int64_t, 3>& grid) {
  return width % 6 == 0 ? sincos_3d(width, grid) : sincos_2d_plus_1d(width, grid);
}

ParameterPtr table(const Context& ctx, DType dtype, const char* name, const Shape& shape,
                   const std::vector<double>& values, std::vector<LogicalAxis> axes) {
  return std::make_shared<Parameter>(name, tensor_from(ctx, ops::accumulation_type(dtype), shape, values),
                                     std::move(axes), Init::zeros(), Role::buffer);
}

}  // namespace

Position3d::Position3d(const Context& ctx, DType dtype, std::int64_t width, const std::array<std::int64_t, 3>& grid,
                       std::int64_t max_scans) {
  spatial = add(table(ctx, dtype, "spatial_posemb", {1, grid[0], grid[1], grid[2], width}, spatial_values(width, grid),
                      {{"position_d", grid[0]}, {"position_h", grid[1]}, {"position_w", grid[2]}, {"embed", width}}));
  if (max_scans > 1)
    sequential = add(table(ctx, dtype, "sequential_posemb", {1, max_scans, width}, sincos_1d(width, max_scans),
                           {{"scan", max_scans}, {"embed", width}}));
}

Variable Position3d::spatial_table(Tape& tape, const std::array<std::int64_t, 3>& grid) const {
  Variable table = tape.leaf(spatial);  // [1, d, h, w, C]
  const std::int64_t width = table.dim(-1);
  for (int axis = 0; axis < 3; ++axis) table = resampled(tape, table, axis + 1, grid[static_cast<std::size_t>(axis)]);
  return tape.reshape(table, {grid[0] * grid[1] * grid[2], width});
}

std::vector<std::int64_t> draw_scan_positions(std::int64_t rows, std::int64_t count, std::uint64_t seed,
                                              std::int64_t ordinal) {
  STRATA_CHECK(count <= rows, usage, "scan positions",
               fmt::format("{} scans cannot take distinct rows of a table of {}", count, rows),
               "choose a subset of the scans first (select_scans)");
  const RandomKey key{seed, RandomPurpose::scan_positions};
  std::vector<std::pair<std::uint32_t, std::int64_t>> draws;
  for (std::int64_t row = 0; row < rows; ++row)
    draws.emplace_back(
        random_word(key, {.ordinal = static_cast<std::uint64_t>(ordinal)}, static_cast<std::uint64_t>(row)), row);
  std::ranges::sort(draws);
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < count; ++i) positions.push_back(draws[static_cast<std::size_t>(i)].second);
  return positions;
}

// A table (the model's, then versions of it resampled for studies with more scans than it has rows) and each scan's row
// in it.
struct Position3d::SequentialRows {
  Variable table;  // [R, C]
  std::vector<std::int64_t> row_of_scan;
};

Position3d::SequentialRows Position3d::sequential_rows(Tape& tape, const StudyLayout& layout,
                                                       const std::vector<std::int64_t>& given) const {
  const Variable base = tape.leaf(sequential);  // [1, R, C]
  const std::int64_t rows = base.dim(1), width = base.dim(2);
  const StudyShape& shape = layout.shape();
  if (!given.empty()) {
    STRATA_CHECK(static_cast<std::int64_t>(given.size()) == shape.scans(), usage, "scan positions",
                 fmt::format("{} given for {} scans", given.size(), shape.scans()));
    for (const auto p : given)
      STRATA_CHECK(p >= 0 && p < rows, usage, "scan positions",
                   fmt::format("row {} does not exist in a table of {} rows", p, rows),
                   "raise max_scans or give other positions");
    return {tape.reshape(base, {rows, width}), given};
  }
  std::vector<Variable> tables{tape.reshape(base, {rows, width})};
  std::map<std::int64_t, std::int64_t> first_row;  // of the table resampled to N rows
  std::int64_t total = rows;
  std::vector<std::int64_t> row_of_scan;
  for (std::size_t b = 0; b + 1 < shape.study_offsets.size(); ++b) {
    const std::int64_t scans = shape.study_offsets[b + 1] - shape.study_offsets[b];
    if (tape.training()) {
      const auto drawn = draw_scan_positions(rows, scans, tape.mode().seed, shape.ordinals[b]);
      row_of_scan.insert(row_of_scan.end(), drawn.begin(), drawn.end());
      continue;
    }
    std::int64_t first = 0;
    if (scans > rows) {
      const auto [at, is_new] = first_row.try_emplace(scans, total);
      if (is_new) {
        tables.push_back(tape.reshape(resampled(tape, base, 1, scans), {scans, width}));
        total += scans;
      }
      first = at->second;
    }
    for (std::int64_t i = 0; i < scans; ++i) row_of_scan.push_back(first + i);
  }
  return {tables.size() == 1 ? tables[0] : tape.apply(ops::Concat{0}, Tape::Span(tables)).front(), row_of_scan};
}

Variable Position3d::forward(Tape& tape, const Variable& input, const StudyLayout& layout,
                             const std::vector<std::int64_t>& scan_positions) {
  return bordered(tape, input, [&](const Variable& rows) {
    const Variable placed = tape.apply1(
        ops::AddRows{}, {rows, spatial_table(tape, layout.shape().grid), tape.constant(layout.spatial_index())});
    if (!sequential) return placed;
    const SequentialRows rows_of = sequential_rows(tape, layout, scan_positions);
    std::vector<std::int32_t> index;
    for (const auto scan : layout.scan_of_token())
      index.push_back(static_cast<std::int32_t>(rows_of.row_of_scan[static_cast<std::size_t>(scan)]));
    const Tensor on_device = tape.ctx().tensor(index, {static_cast<std::int64_t>(index.size())});
    return tape.apply1(ops::AddRows{}, {placed, rows_of.table, tape.constant(on_device)});
  });
}

}  // namespace strata::nn
