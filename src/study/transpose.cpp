// SPDX-License-Identifier: Apache-2.0
#include "study/transpose.hpp"

#include <algorithm>
#include <cstring>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

constexpr std::int64_t kTile = 16;  // both sides of a tile stay in the first cache

// One plane: out[j·out_stride + i] = in[i·in_rows + j·in_columns], i < rows, j < columns.
template <class T>
void transpose_plane(const T* in, std::int64_t in_rows, std::int64_t in_columns, T* out, std::int64_t out_stride,
                     std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i0 = 0; i0 < rows; i0 += kTile)
    for (std::int64_t j0 = 0; j0 < columns; j0 += kTile) {
      const std::int64_t i1 = std::min(rows, i0 + kTile), j1 = std::min(columns, j0 + kTile);
      for (std::int64_t j = j0; j < j1; ++j)
        for (std::int64_t i = i0; i < i1; ++i) out[j * out_stride + i] = in[i * in_rows + j * in_columns];
    }
}

template <class T>
void transpose_as(const T* in, const Extents3& extents, const std::array<int, 3>& axis,
                  const std::array<bool, 3>& reversed, T* out) {
  Extents3 stride{extents[1] * extents[2], extents[2], 1}, n{}, from{};
  for (std::size_t s = 0; s < 3; ++s)
    if (reversed[s]) {
      in += (extents[s] - 1) * stride[s];
      stride[s] = -stride[s];
    }
  for (std::size_t a = 0; a < 3; ++a) {
    n[a] = extents[static_cast<std::size_t>(axis[a])];
    from[a] = stride[static_cast<std::size_t>(axis[a])];
  }
  const Extents3 to{n[1] * n[2], n[2], 1};
  if (from[2] == 1 || from[2] == -1) {  // rows stay rows
    for (std::int64_t i = 0; i < n[0]; ++i)
      for (std::int64_t j = 0; j < n[1]; ++j) {
        const T* row = in + i * from[0] + j * from[1];
        T* target = out + i * to[0] + j * to[1];
        if (from[2] == 1)
          std::memcpy(target, row, static_cast<std::size_t>(n[2]) * sizeof(T));
        else
          std::reverse_copy(row - n[2] + 1, row + 1, target);
      }
    return;
  }
  // Planes of the axis that was contiguous and the one that becomes so; the third axis stays outside.
  const std::size_t fast = from[0] == 1 || from[0] == -1 ? 0 : 1, other = 1 - fast;
  for (std::int64_t i = 0; i < n[other]; ++i)
    transpose_plane(in + i * from[other], from[2], from[fast], out + i * to[other], to[fast], n[2], n[fast]);
}

}  // namespace

void transpose(const void* voxels, const Extents3& in, const std::array<int, 3>& axis,
               const std::array<bool, 3>& reversed, std::size_t element, void* out) {
  const auto as = [&]<class T>(T* result) { transpose_as(static_cast<const T*>(voxels), in, axis, reversed, result); };
  switch (element) {
    case 1: return as(static_cast<std::uint8_t*>(out));
    case 2: return as(static_cast<std::uint16_t*>(out));
    default: STRATA_DCHECK(element == 4); return as(static_cast<std::uint32_t*>(out));
  }
}

}  // namespace strata::study
