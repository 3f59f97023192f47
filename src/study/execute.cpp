// SPDX-License-Identifier: Apache-2.0
#include "study/execute.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "strata/base/error.hpp"
#include "study/transpose.hpp"

namespace strata::study {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Maps {
  PackedMap d, h, w;
};

void emit(const RowKernels& kernels, std::span<const Output> outputs, std::int64_t offset, const float* row,
          std::int64_t n) {
  for (const Output& output : outputs) switch (output.dtype) {
      case DType::u8:
        kernels.to_u8(row, static_cast<std::uint8_t*>(output.data) + offset, n, output.low, output.scale);
        break;
      case DType::i16:
        kernels.to_i16(row, static_cast<std::int16_t*>(output.data) + offset, n, output.low, output.scale);
        break;
      default: {
        float* out = static_cast<float*>(output.data) + offset;
        if (output.shift == 0)
          std::memcpy(out, row, at(n) * sizeof(float));
        else
          for (std::int64_t i = 0; i < n; ++i) out[i] = row[i] + output.shift;
      }
    }
}

// The slices of a result, one after the other. Rows of the source are prepared (read, combined along D, and along W
// where that is done first) when a row of the result wants them, and kept while the slice lasts.
class Slices {
 public:
  Slices(const float* voxels, const Extents3& extents, const Maps& maps, const ReadMap& read)
      : voxels_(voxels), extents_(extents), maps_(maps), read_(read) {
    reads_ = read.windowed || read.has_padding || read.low != 0;
    w_first_ = !maps.w.identity && maps.h.high - maps.h.low < maps.h.out;
    direct_ = maps.d.selection && !reads_ && !w_first_;
    length_ = w_first_ ? maps.w.out : extents[2];
    if (!direct_) cache_.resize(at(extents[1] * length_));
    slice_of_.assign(at(extents[1]), -1);
    raw_.resize(at(extents[2] * std::max<std::int64_t>(1, maps.d.taps)));
    mixed_.resize(at(extents[2]));
    combined_.resize(at(length_));
    row_.resize(at(maps.w.out));
    taps_.resize(at(maps.d.taps));
    weights_.resize(at(maps.d.taps));
    h_taps_.resize(at(maps.h.taps));
    h_weights_.resize(at(maps.h.taps));
  }

  void write(std::int64_t d, std::span<const Output> outputs) {
    const std::int64_t offset = d * maps_.h.out * maps_.w.out;
    for (std::int64_t h = 0; h < maps_.h.out; ++h)
      emit(kernels_, outputs, offset + h * maps_.w.out, result_row(d, h), maps_.w.out);
  }

 private:
  const float* result_row(std::int64_t d, std::int64_t h) {
    const float* row = nullptr;
    const std::int64_t first = maps_.h.first[at(h)];
    if (maps_.h.selection) {
      row = prepared_row(d, first);
    } else {
      for (std::int64_t k = 0; k < maps_.h.taps; ++k) h_taps_[at(k)] = prepared_row(d, first + k);
      for (std::int64_t k = 0; k < maps_.h.taps; ++k) h_weights_[at(k)] = maps_.h.weights[at(k * maps_.h.out + h)];
      const auto [from, count] = columns();
      for (auto& tap : h_taps_) tap += from;
      kernels_.combine(h_taps_.data(), h_weights_.data(), maps_.h.taps, combined_.data() + from, count);
      row = combined_.data();
    }
    if (w_first_ || maps_.w.identity) return row;
    gather(row, row_.data());
    return row_.data();
  }

  // The part of a prepared row that the result depends on.
  std::pair<std::int64_t, std::int64_t> columns() const {
    return w_first_ ? std::pair{std::int64_t{0}, length_} : std::pair{maps_.w.low, maps_.w.high - maps_.w.low};
  }

  const float* prepared_row(std::int64_t d, std::int64_t h) {
    if (direct_) return source_row(maps_.d.first[at(d)], h);
    float* cached = cache_.data() + h * length_;
    if (slice_of_[at(h)] == d) return cached;
    slice_of_[at(h)] = d;
    if (!w_first_) {
      read_row(d, h, cached);
    } else if (maps_.d.selection && !reads_) {
      gather(source_row(maps_.d.first[at(d)], h), cached);
    } else {
      read_row(d, h, mixed_.data());
      gather(mixed_.data(), cached);
    }
    return cached;
  }

  const float* source_row(std::int64_t d, std::int64_t h) const {
    return voxels_ + (d * extents_[1] + h) * extents_[2];
  }

  void read_row(std::int64_t d, std::int64_t h, float* into) {
    const std::int64_t from = maps_.w.low, count = maps_.w.high - maps_.w.low;
    const std::int64_t first = maps_.d.first[at(d)];
    if (maps_.d.selection) return kernels_.read(read_, source_row(first, h) + from, into + from, count);
    for (std::int64_t k = 0; k < maps_.d.taps; ++k) {
      taps_[at(k)] = source_row(first + k, h) + from;
      weights_[at(k)] = maps_.d.weights[at(k * maps_.d.out + d)];
      if (!reads_) continue;
      float* raw = raw_.data() + k * extents_[2];
      kernels_.read(read_, taps_[at(k)], raw, count);
      taps_[at(k)] = raw;
    }
    kernels_.combine(taps_.data(), weights_.data(), maps_.d.taps, into + from, count);
  }

  void gather(const float* row, float* into) const {
    kernels_.gather(row, maps_.w.first.data(), maps_.w.weights.data(), maps_.w.taps, into, maps_.w.out);
  }

  const RowKernels& kernels_ = row_kernels();
  const float* voxels_;
  const Extents3& extents_;
  const Maps& maps_;
  const ReadMap& read_;
  bool reads_ = false, w_first_ = false, direct_ = false;
  std::int64_t length_ = 0;  // of a prepared row
  std::vector<float> cache_, raw_, mixed_, combined_, row_;
  std::vector<std::int64_t> slice_of_;  // [H] the slice that a cached row belongs to
  std::vector<const float*> taps_, h_taps_;
  std::vector<float> weights_, h_weights_;
};

// Slices of a nearest neighbour often repeat.
void copy_slice(const Maps& maps, std::int64_t from, std::int64_t to, std::span<const Output> outputs) {
  const std::int64_t slice = maps.h.out * maps.w.out;
  for (const Output& output : outputs) {
    const auto bytes = at(slice) * size_of(output.dtype);
    auto* data = static_cast<std::byte*>(output.data);
    std::memcpy(data + at(to) * bytes, data + at(from) * bytes, bytes);
  }
}

void execute_in_order(const float* voxels, const Extents3& extents, const Maps& maps, std::span<const Pass> passes) {
  std::vector<Slices> slices;
  slices.reserve(passes.size());
  for (const Pass& pass : passes) slices.emplace_back(voxels, extents, maps, pass.read);
  for (std::int64_t d = 0; d < maps.d.out; ++d) {
    const bool repeats = d > 0 && maps.d.selection && maps.d.first[at(d)] == maps.d.first[at(d - 1)];
    for (std::size_t p = 0; p < passes.size(); ++p)
      if (repeats)
        copy_slice(maps, d - 1, d, passes[p].outputs);
      else
        slices[p].write(d, passes[p].outputs);
  }
}

// Slices of the result as sums of slices that are ready in their planes.
void combine_slices(const std::vector<float>& planes, const PackedMap& along, std::int64_t slice,
                    std::span<const Output> outputs) {
  const RowKernels& kernels = row_kernels();
  constexpr std::int64_t kBlock = 2048;
  std::vector<float> block(kBlock), weights(at(along.taps));
  std::vector<const float*> taps(at(along.taps));
  for (std::int64_t d = 0; d < along.out; ++d) {
    for (std::int64_t k = 0; k < along.taps; ++k) weights[at(k)] = along.weights[at(k * along.out + d)];
    for (std::int64_t i = 0; i < slice; i += kBlock) {
      const std::int64_t n = std::min(kBlock, slice - i);
      for (std::int64_t k = 0; k < along.taps; ++k)
        taps[at(k)] = planes.data() + (along.first[at(d)] + k - along.low) * slice + i;
      kernels.combine(taps.data(), weights.data(), along.taps, block.data(), n);
      emit(kernels, outputs, d * slice + i, block.data(), n);
    }
  }
}

// More slices come out than go in: in their planes first, then along D.
void execute_d_last(const float* voxels, const Extents3& extents, Maps maps, const Pass& pass) {
  const PackedMap along = std::move(maps.d);
  maps.d = pack(part_map(extents[0], along.low, along.high - along.low));
  const std::int64_t slice = maps.h.out * maps.w.out;
  std::vector<float> planes(at(maps.d.out * slice));
  const Pass middle{pass.read, {{.data = planes.data()}}};
  execute_in_order(voxels, extents, maps, std::span(&middle, 1));
  combine_slices(planes, along, slice, pass.outputs);
}

void execute_ordered(const float* voxels, const Extents3& extents, const Maps& maps, std::span<const Pass> passes) {
  if (maps.d.selection || maps.d.out <= maps.d.high - maps.d.low)
    return execute_in_order(voxels, extents, maps, passes);
  for (const Pass& pass : passes) execute_d_last(voxels, extents, maps, pass);
}

constexpr std::array<int, 3> kInOrder{0, 1, 2};

// Maps by the axes of the source.
std::array<const AxisMap*, 3> maps_by_source(const Plan& plan) {
  std::array<const AxisMap*, 3> maps{};
  for (std::size_t a = 0; a < 3; ++a) maps[at(plan.axis[a])] = &plan.maps[a];
  return maps;
}

Maps pack(const std::array<const AxisMap*, 3>& maps) {
  return {study::pack(*maps[0]), study::pack(*maps[1]), study::pack(*maps[2])};
}

// A stretch of a row: samples first, first + step, ... or padding.
struct Run {
  std::int64_t to = 0, count = 0, first = 0, step = 1;
  bool padding = false;
};

std::vector<Run> runs_of(const AxisMap& map) {
  std::vector<Run> runs;
  for (std::int64_t i = 0; i < map.out(); ++i) {
    const bool padding = map.taps(i) == 0;
    const std::int64_t sample = map.first[at(i)];
    if (!runs.empty() && runs.back().padding == padding) {
      Run& run = runs.back();
      const std::int64_t step = sample - (run.first + (run.count - 1) * run.step);
      if (padding || (run.count == 1 && (step == 1 || step == -1)) || (run.count > 1 && step == run.step)) {
        if (!padding) run.step = step;
        ++run.count;
        continue;
      }
    }
    runs.push_back({i, 1, sample, 1, padding});
  }
  return runs;
}

void copy_row(const float* row, const std::vector<Run>& runs, float fill, float* out) {
  for (const Run& run : runs)
    if (run.padding)
      std::fill_n(out + run.to, run.count, fill);
    else if (run.step == 1)
      std::memcpy(out + run.to, row + run.first, at(run.count) * sizeof(float));
    else
      std::reverse_copy(row + run.first - run.count + 1, row + run.first + 1, out + run.to);
}

void copy_in_order(const float* voxels, const Extents3& extents, const std::array<const AxisMap*, 3>& maps, float fill,
                   float* out) {
  const AxisMap &d_map = *maps[0], &h_map = *maps[1];
  const std::vector<Run> runs = runs_of(*maps[2]);
  const std::int64_t width = maps[2]->out();
  for (std::int64_t d = 0; d < d_map.out(); ++d)
    for (std::int64_t h = 0; h < h_map.out(); ++h, out += width) {
      if (d_map.taps(d) == 0 || h_map.taps(h) == 0)
        std::fill_n(out, width, fill);
      else
        copy_row(voxels + (d_map.first[at(d)] * extents[1] + h_map.first[at(h)]) * extents[2], runs, fill, out);
    }
}

// The axes change places where there are fewer bytes: in the results, or in the source.
bool transposes_source(const Plan& plan, std::span<const Pass> passes) {
  std::int64_t bytes = 0;
  for (const Pass& pass : passes)
    for (const Output& output : pass.outputs)
      bytes += voxel_count(plan.geometry) * static_cast<std::int64_t>(size_of(output.dtype));
  return bytes > plan.source[0] * plan.source[1] * plan.source[2] * static_cast<std::int64_t>(sizeof(float));
}

void execute_then_transpose(const float* voxels, const Plan& plan, std::span<const Pass> passes) {
  const auto maps = maps_by_source(plan);
  const Extents3 extents{maps[0]->out(), maps[1]->out(), maps[2]->out()};
  std::vector<std::vector<std::byte>> results;
  std::vector<Pass> unordered(passes.begin(), passes.end());
  for (Pass& pass : unordered)
    for (Output& output : pass.outputs) {
      results.emplace_back(at(voxel_count(plan.geometry)) * size_of(output.dtype));
      output.data = results.back().data();
    }
  execute_ordered(voxels, plan.source, pack(maps), unordered);
  for (std::size_t p = 0; p < passes.size(); ++p)
    for (std::size_t i = 0; i < passes[p].outputs.size(); ++i) {
      const Output& output = passes[p].outputs[i];
      transpose(unordered[p].outputs[i].data, extents, plan.axis, {}, size_of(output.dtype), output.data);
    }
}

}  // namespace

void execute(const float* voxels, const Plan& plan, std::span<const Pass> passes) {
  const std::array<const AxisMap*, 3> maps{&plan.maps[0], &plan.maps[1], &plan.maps[2]};
  if (plan.axis == kInOrder) return execute_ordered(voxels, plan.source, pack(maps), passes);
  if (!transposes_source(plan, passes)) return execute_then_transpose(voxels, plan, passes);
  Extents3 extents{};
  for (std::size_t a = 0; a < 3; ++a) extents[a] = plan.source[at(plan.axis[a])];
  std::vector<float> ordered(at(extents[0] * extents[1] * extents[2]));
  transpose(voxels, plan.source, plan.axis, {}, sizeof(float), ordered.data());
  execute_ordered(ordered.data(), extents, pack(maps), passes);
}

void copy_selected(const float* voxels, const Plan& plan, float fill, float* out) {
  const auto ordered = maps_by_source(plan);
  const Extents3 extents{ordered[0]->out(), ordered[1]->out(), ordered[2]->out()};
  if (plan.axis == kInOrder) return copy_in_order(voxels, plan.source, ordered, fill, out);
  if (is_bijection(plan)) {
    std::array<bool, 3> reversed{};
    for (std::size_t s = 0; s < 3; ++s) reversed[s] = !is_identity(*ordered[s]);
    return transpose(voxels, extents, plan.axis, reversed, sizeof(float), out);
  }
  std::vector<float> copy(at(voxel_count(plan.geometry)));
  copy_in_order(voxels, plan.source, ordered, fill, copy.data());
  transpose(copy.data(), extents, plan.axis, {}, sizeof(float), out);
}

}  // namespace strata::study
