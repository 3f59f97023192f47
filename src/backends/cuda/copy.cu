// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "backends/cuda/copy.hpp"
#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"
#include "strata/ops/copy.hpp"

namespace strata::cuda {
namespace {

// P: a pack, or an unsigned integer of an element's size.
template <class P>
__global__ void __launch_bounds__(kThreads)
    copy_packs(const P* from, P* to, std::int64_t packs, const __grid_constant__ Path path) {
  struct Moved {
    P value;
    std::int64_t to;
  };
  const auto get = [&](std::int64_t i) {
    const auto place = path.place(i);
    return Moved{from[place.from], place.to};
  };
  stream_tile<kOfOne>(packs, get, [&](std::int64_t, const Moved& moved) { to[moved.to] = moved.value; });
}

template <class P>
__global__ void __launch_bounds__(kThreads)
    fill_packs(P value, P* to, std::int64_t packs, const __grid_constant__ Path path) {
  for (std::int64_t i = first_item(); i < packs; i += all_items()) to[path.place(i).to] = value;
}

template <class To, class From>
__device__ __forceinline__ To converted(From value) {
  if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    constexpr auto least = static_cast<std::int64_t>(std::numeric_limits<To>::min()),
                   most = static_cast<std::int64_t>(std::numeric_limits<To>::max());
    const auto wide = static_cast<std::int64_t>(value);
    return static_cast<To>(wide < least ? least : wide > most ? most : wide);
  } else if constexpr (std::is_integral_v<From>) {
    return narrow<To>(static_cast<double>(value));
  } else {
    return narrow<To>(widen(value));
  }
}

template <class To, class From, int V>
__global__ void __launch_bounds__(kThreads) convert(const From* from, To* to, std::int64_t packs) {
  stream_tile<kOfOne>(
      packs, [&](std::int64_t i) { return bits_at<V>(from, i); },
      [&](std::int64_t i, const PackBits<From, V>& bits) {
        const auto in = bits.pack();
        Pack<To, V> out;
#pragma unroll
        for (int k = 0; k < V; ++k) out.v[k] = converted<To>(in.v[k]);
        put_pack(to, i, out);
      });
}

using Widest = Pack<std::uint32_t, 4>;

// Calls f with what moves so many bytes as one.
template <class F>
void with_bytes(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    case 8: return f(std::uint64_t{});
    default: return f(Widest{});
  }
}

void copy(const ops::Copy&, Inputs in, Outputs out, Context& ctx) { copy_view(in[0], out[0], ctx); }

void cast(const ops::Cast&, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const int width = pack_width(
      std::array{Operand{in[0].raw(), n, size_of(in[0].dtype())}, Operand{out[0].raw(), n, size_of(out[0].dtype())}});
  const Launch shape = over_tiles<kOfOne>(n / width);
  with_type(in[0].dtype(), [&]<class From>(From) {
    with_type(out[0].dtype(), [&]<class To>(To) {
      constexpr int V = 16 / (sizeof(To) > sizeof(From) ? sizeof(To) : sizeof(From));
      launch("convert", width == 1 ? convert<To, From, 1> : convert<To, From, V>, shape, ctx, pointer<From>(in[0]),
             pointer<To>(out[0]), n / width);
    });
  });
}

// The bits of `value` in an element type, in the low bytes.
std::uint64_t bits_of(double value, DType dtype) {
  const auto whole = [value](double least, double most) {
    return std::isnan(value) ? 0.0 : std::clamp(std::nearbyint(value), least, most);
  };
  switch (dtype) {
    case DType::f32: return std::bit_cast<std::uint32_t>(static_cast<float>(value));
    case DType::bf16: return BFloat16(static_cast<float>(value)).bits;
    case DType::f64: return std::bit_cast<std::uint64_t>(value);
    case DType::i32: return static_cast<std::uint32_t>(static_cast<std::int32_t>(whole(-0x1p31, 0x1p31 - 1)));
    case DType::i64:
      return value >= 0x1p63 ? static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                             : static_cast<std::uint64_t>(static_cast<std::int64_t>(whole(-0x1p63, 0x1p63)));
    case DType::u8: return static_cast<std::uint8_t>(whole(0, 255));
    case DType::i16: return static_cast<std::uint16_t>(static_cast<std::int16_t>(whole(-32768, 32767)));
  }
  return 0;
}

void fill(const ops::Fill& op, Inputs, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const cudaStream_t stream = stream_of(ctx);
  const std::uint64_t bits = bits_of(op.value, out[0].dtype());
  if (bits == 0 && out[0].is_dense()) return check(cudaMemsetAsync(out[0].raw(), 0, out[0].bytes(), stream), "fill");
  const std::size_t element = size_of(out[0].dtype());
  const auto [width, walk] = packed_walk_of(out[0], out[0]);
  with_bytes(static_cast<std::size_t>(width) * element, [&]<class P>(P) {
    P value;
    for (std::size_t at = 0; at < sizeof(P); at += element)
      std::memcpy(reinterpret_cast<unsigned char*>(&value) + at, &bits, element);
    launch("fill", fill_packs<P>, over(walk.numel), ctx, value, pointer<P>(out[0]), walk.numel, Path(walk));
  });
}

}  // namespace

void copy_view(const Tensor& from, const Tensor& to, Context& ctx) {
  if (to.numel() == 0) return;
  const auto [width, walk] = packed_walk_of(from, to);
  if (is_run(walk))
    return check(cudaMemcpyAsync(to.raw(), from.raw(), to.bytes(), cudaMemcpyDeviceToDevice, stream_of(ctx)), "copy");
  with_bytes(static_cast<std::size_t>(width) * size_of(to.dtype()), [&]<class P>(P) {
    launch("copy", copy_packs<P>, over_tiles<kOfOne>(walk.numel), ctx, pointer<P>(from), pointer<P>(to), walk.numel,
           Path(walk));
  });
}

void register_copy(KernelTable& table) {
  table.add<ops::Copy>("cuda", copy, serves::anything);
  table.add<ops::Cast>("cuda", cast, serves::anything);
  table.add<ops::Fill>("cuda", fill, serves::anything);
}

}  // namespace strata::cuda
