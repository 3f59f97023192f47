// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/dropout.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

constexpr int kWords = 4 * kLanes;  // of sixteen blocks

struct Wide {
  Words high, low;
};
STRATA_INLINE Wide multiply(Words a, std::uint32_t factor) {
  using Longs = Pack<std::uint64_t, kLanes>;
  const Longs product = convert<std::uint64_t>(a) * splat<Longs>(static_cast<std::uint64_t>(factor));
  return {convert<std::uint32_t>(shift_right<32>(product)), a * splat<Words>(factor)};
}

// Words of blocks first, first + 1, ...: a lane a block, then put into the stream's order.
void draw(const PhiloxStream& stream, std::uint32_t first, std::uint32_t* words) {
  std::uint32_t lane[kLanes];
  for (std::uint32_t i = 0; i < kLanes; ++i) lane[i] = first + i;
  Words c[4] = {load_same<Words>(lane), splat<Words>(stream.counter[0]), splat<Words>(stream.counter[1]),
                splat<Words>(stream.counter[2])};
  std::uint32_t k0 = stream.key[0], k1 = stream.key[1];
  for (int round = 0; round < 10; ++round) {
    const Wide p0 = multiply(c[0], 0xD2511F53u), p1 = multiply(c[2], 0xCD9E8D57u);
    c[0] = p1.high ^ c[1] ^ splat<Words>(k0);
    c[1] = p1.low;
    c[2] = p0.high ^ c[3] ^ splat<Words>(k1);
    c[3] = p0.low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int word = 0; word < 4; ++word) {
    store_same(lane, c[word]);
    for (int i = 0; i < kLanes; ++i) words[4 * i + word] = lane[i];
  }
}

template <class T>
void apply(const PhiloxStream& stream, std::uint64_t first, const T* x, T* y, std::int64_t n, float rate,
           float factor) {
  std::uint32_t words[kWords + kLanes] = {};  // the last load of a run may look beyond it
  while (n > 0) {
    draw(stream, static_cast<std::uint32_t>(first >> 2), words);
    const std::uint32_t* word = words + (first & 3u);
    const std::int64_t left = kWords - static_cast<std::int64_t>(first & 3u), count = n < left ? n : left;
    each(
        count, [=](Block at) __attribute__((always_inline)) {
          const Words bits24 = shift_right<8>(load_same<Words>(word + at.begin));
          const Floats uniform = convert<float>(bits<std::int32_t>(bits24)) * splat(0x1.0p-24f);
          at.store(y, select(uniform >= splat(rate), at.load(x) * splat(factor), splat(0.0f)));
        });
    first += static_cast<std::uint64_t>(count);
    x += count;
    y += count;
    n -= count;
  }
}

}  // namespace

extern const DropoutSimd dropout_simd{&apply<float>, &apply<std::uint16_t>};

}  // namespace strata::cpu::STRATA_ISA
