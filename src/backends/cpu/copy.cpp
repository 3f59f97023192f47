// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/copy.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/copy.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

// Two views of the same shape as a list of rows: outer axes are walked by index, the last is a loop.
struct View {
  std::array<std::int64_t, kMaxDims> extent{}, from{}, to{};  // strides in bytes
  int outer = 0;                                              // axes before the last
};

// Neighbouring axes that lie behind one another in both views become one.
View fold(const Tensor& from, const Tensor& to, std::int64_t item) {
  View view;
  int last = -1;
  const auto at = [](int axis) { return static_cast<std::size_t>(axis); };
  for (int axis = 0; axis < from.ndim(); ++axis) {
    if (from.dim(axis) == 1) continue;
    const std::int64_t a = from.stride(axis) * item, b = to.stride(axis) * item;
    if (last >= 0 && view.from[at(last)] == a * from.dim(axis) && view.to[at(last)] == b * from.dim(axis)) {
      view.extent[at(last)] *= from.dim(axis);
    } else {
      view.extent[at(++last)] = from.dim(axis);
    }
    view.from[at(last)] = a;
    view.to[at(last)] = b;
  }
  if (last < 0) {  // one element
    view.extent[0] = 1;
    view.from[0] = view.to[0] = item;
    last = 0;
  }
  view.outer = last;
  return view;
}

// Byte offsets of a row's first element in the two views.
struct Offsets {
  std::int64_t from = 0, to = 0;
};
Offsets offsets_of(const View& view, std::int64_t row) {
  Offsets result;
  for (auto axis = static_cast<std::size_t>(view.outer); axis-- > 0;) {
    const std::int64_t index = row % view.extent[axis];
    row /= view.extent[axis];
    result.from += index * view.from[axis];
    result.to += index * view.to[axis];
  }
  return result;
}

template <class T>
void copy_row(std::byte* to, std::int64_t to_step, const std::byte* from, std::int64_t from_step, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) std::memcpy(to + i * to_step, from + i * from_step, sizeof(T));
}

template <class T>
void copy_views(const Tensor& source, const Tensor& target, const Context& ctx) {
  if (source.numel() == 0) return;
  const auto item = static_cast<std::int64_t>(sizeof(T));
  const View view = fold(source, target, item);
  const auto last = static_cast<std::size_t>(view.outer);
  const std::int64_t width = view.extent[last], rows = source.numel() / width;
  const auto* from = memory<const std::byte>(source);
  auto* to = memory<std::byte>(target);
  const bool packed = view.from[last] == item && view.to[last] == item;
  if (rows == 1 && packed) {
    parallel_for(ctx, width, 4 * kChunk, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(to + begin * item, from + begin * item, static_cast<std::size_t>((end - begin) * item));
    });
    return;
  }
  parallel_for(ctx, rows, rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const Offsets at = offsets_of(view, row);
      if (packed)
        std::memcpy(to + at.to, from + at.from, static_cast<std::size_t>(width * item));
      else
        copy_row<T>(to + at.to, view.to[last], from + at.from, view.from[last], width);
    }
  });
}

void copy(const ops::Copy&, Inputs in, Outputs out, Context& ctx) { copy_view(in[0], out[0], ctx); }

void cast(const ops::Cast& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const Tensor &x = in[0], &y = out[0];
  parallel_for(ctx, x.numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t n = end - begin;
    if (op.to == DType::bf16)
      kernels.narrow(memory<float>(x) + begin, memory<std::uint16_t>(y) + begin, n);
    else if (x.dtype() == DType::bf16)
      kernels.widen(memory<std::uint16_t>(x) + begin, memory<float>(y) + begin, n);
    else if (x.dtype() == DType::u8)
      kernels.affine_to_f32.u8(memory<std::uint8_t>(x) + begin, memory<float>(y) + begin, n, 1, 0);
    else
      kernels.affine_to_f32.i16(memory<std::int16_t>(x) + begin, memory<float>(y) + begin, n, 1, 0);
  });
}

bool serves_cast(const ops::Cast& op, Specs inputs) {
  const DType from = inputs[0].dtype;
  if (op.to == DType::f32) return from == DType::bf16 || from == DType::u8 || from == DType::i16;
  return op.to == DType::bf16 && from == DType::f32;
}

template <class T>
void fill_view(const Tensor& y, T value, const Context& ctx) {
  if (y.numel() == 0) return;
  const View view = fold(y, y, static_cast<std::int64_t>(sizeof(T)));
  const auto last = static_cast<std::size_t>(view.outer);
  const std::int64_t width = view.extent[last], step = view.to[last];
  auto* to = memory<std::byte>(y);
  const auto fill_part = [&](std::byte* first, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) std::memcpy(first + i * step, &value, sizeof value);
  };
  if (last == 0) {
    parallel_for(ctx, width, 4 * kChunk,
                 [&](std::int64_t begin, std::int64_t end) { fill_part(to + begin * step, end - begin); });
    return;
  }
  parallel_for(ctx, y.numel() / width, rows_a_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) fill_part(to + offsets_of(view, row).to, width);
  });
}

void fill(const ops::Fill& op, Inputs, Outputs out, Context& ctx) {
  switch (out[0].dtype()) {
    case DType::f32: return fill_view(out[0], static_cast<float>(op.value), ctx);
    case DType::bf16: return fill_view(out[0], BFloat16(static_cast<float>(op.value)), ctx);
    default: return fill_view(out[0], op.value, ctx);
  }
}

bool serves_fill(const ops::Fill& op, Specs) { return is_floating(op.output.dtype); }

}  // namespace

void copy_view(const Tensor& from, const Tensor& to, const Context& ctx) {
  switch (size_of(from.dtype())) {
    case 1: return copy_views<std::uint8_t>(from, to, ctx);
    case 2: return copy_views<std::uint16_t>(from, to, ctx);
    case 4: return copy_views<std::uint32_t>(from, to, ctx);
    default: return copy_views<std::uint64_t>(from, to, ctx);
  }
}

void add_copy(KernelTable& table) {
  table.add<ops::Copy>("memory", copy, serves::anything);
  table.add<ops::Cast>("vector", cast, serves_cast);
  table.add<ops::Fill>("memory", fill, serves_fill);
}

}  // namespace strata::cpu
