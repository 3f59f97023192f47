// SPDX-License-Identifier: Apache-2.0
#include "study/transpose.hpp"

#include <algorithm>
#include <cstring>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

constexpr std::int64_t kTile = 16;  // both sides of a tile stay in the first cache

// One plane: out[j·out_stride + i] = in[i·in_stride + j], i < rows, j < columns.
template <class T>
void transpose_plane(const T* in, std::int64_t in_stride, T* out, std::int64_t out_stride, std::int64_t rows,
                     std::int64_t columns) {
  for (std::int64_t i0 = 0; i0 < rows; i0 += kTile)
    for (std::int64_t j0 = 0; j0 < columns; j0 += kTile) {
      const std::int64_t i1 = std::min(rows, i0 + kTile), j1 = std::min(columns, j0 + kTile);
      for (std::int64_t j = j0; j < j1; ++j)
        for (std::int64_t i = i0; i < i1; ++i) out[j * out_stride + i] = in[i * in_stride + j];
    }
}

template <class T>
void transpose_as(const T* in, const Extents3& extents, const std::array<int, 3>& axis, T* out) {
  const Extents3 stride{extents[1] * extents[2], extents[2], 1};
  Extents3 n{}, from{};
  for (std::size_t a = 0; a < 3; ++a) {
    n[a] = extents[static_cast<std::size_t>(axis[a])];
    from[a] = stride[static_cast<std::size_t>(axis[a])];
  }
  const Extents3 to{n[1] * n[2], n[2], 1};
  if (from[2] == 1) {  // rows stay rows
    for (std::int64_t i = 0; i < n[0]; ++i)
      for (std::int64_t j = 0; j < n[1]; ++j)
        std::memcpy(out + i * to[0] + j * to[1], in + i * from[0] + j * from[1],
                    static_cast<std::size_t>(n[2]) * sizeof(T));
    return;
  }
  const std::size_t fast = from[0] == 1 ? 0 : 1, other = 1 - fast;  // the axis that was contiguous, and the third one
  for (std::int64_t i = 0; i < n[other]; ++i)
    transpose_plane(in + i * from[other], from[2], out + i * to[other], to[fast], n[2], n[fast]);
}

}  // namespace

void transpose(const void* voxels, const Extents3& in, const std::array<int, 3>& axis, std::size_t element, void* out) {
  switch (element) {
    case 1: return transpose_as(static_cast<const std::uint8_t*>(voxels), in, axis, static_cast<std::uint8_t*>(out));
    case 2: return transpose_as(static_cast<const std::uint16_t*>(voxels), in, axis, static_cast<std::uint16_t*>(out));
    default:
      STRATA_DCHECK(element == 4);
      return transpose_as(static_cast<const std::uint32_t*>(voxels), in, axis, static_cast<std::uint32_t*>(out));
  }
}

}  // namespace strata::study
