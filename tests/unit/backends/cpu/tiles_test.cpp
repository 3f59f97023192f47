// SPDX-License-Identifier: Apache-2.0
//
// What runs on AMX, with plain arrays in place of its tile registers: the blocking of products against sums in double
// precision, and attention against the reference and against the kernels of this machine.
#define STRATA_ISA isa_emulated
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <tuple>
#include <vector>

#include "backends/cpu/simd/bf16/attention_kernels.hpp"
#include "backends/reference/reference.hpp"
#include "strata/base/half.hpp"
#include "strata/ops/attention.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/segments.hpp"
#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

float widened(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

// TDPBF16PS, TILELOADD, TILESTORED and TILEZERO of tiles of 16 rows of 64 bytes; NaN before anything is loaded.
class EmulatedTiles {
 public:
  struct Session {
    Session() { ++open; }
    ~Session() { --open; }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    static inline int open = 0;
  };

  EmulatedTiles() {
    for (auto& tile : tiles_) tile.fill(std::numeric_limits<float>::quiet_NaN());
  }
  template <int I>
  void zero() {
    tiles_[I].fill(0.0f);
  }
  template <int I>
  void load(const void* from, std::int64_t stride) {
    EXPECT_EQ(Session::open, 1) << "tiles were not configured";
    for (std::int64_t row = 0; row < 16; ++row)
      std::memcpy(&tiles_[I][static_cast<std::size_t>(16 * row)], static_cast<const char*>(from) + row * stride, 64);
  }
  template <int I>
  void store(void* to, std::int64_t stride) const {
    for (std::int64_t row = 0; row < 16; ++row)
      std::memcpy(static_cast<char*>(to) + row * stride, &tiles_[I][static_cast<std::size_t>(16 * row)], 64);
  }
  template <int C, int A, int B>
  void dot() {
    for (std::size_t m = 0; m < 16; ++m)
      for (std::size_t k = 0; k < 16; ++k)
        for (std::size_t n = 0; n < 16; ++n) {
          const auto a = halves(tiles_[A][16 * m + k]), b = halves(tiles_[B][16 * k + n]);
          tiles_[C][16 * m + n] += widened(a[0]) * widened(b[0]) + widened(a[1]) * widened(b[1]);
        }
  }

 private:
  static std::array<std::uint16_t, 2> halves(float word) { return std::bit_cast<std::array<std::uint16_t, 2>>(word); }
  std::array<std::array<float, 256>, 8> tiles_{};
};

using Unit = cpu::isa_emulated::Tiles<EmulatedTiles>;
using Kernels = cpu::isa_emulated::Bf16Attention<Unit>;

std::vector<std::uint16_t> halves_of(const std::vector<float>& values) {
  std::vector<std::uint16_t> halves;
  for (const float value : values) halves.push_back(std::bit_cast<std::uint16_t>(BFloat16(value)));
  return halves;
}

std::vector<std::uint32_t> drawn_pairs(std::int64_t n, std::uint64_t stream) {
  const auto halves = halves_of(test::uniform(2 * n, -1, 1, stream));
  std::vector<std::uint32_t> pairs(static_cast<std::size_t>(n));
  std::memcpy(pairs.data(), halves.data(), 2 * halves.size());
  return pairs;
}

double dot(std::uint32_t a, std::uint32_t b) {
  return static_cast<double>(widened(static_cast<std::uint16_t>(a))) * widened(static_cast<std::uint16_t>(b)) +
         static_cast<double>(widened(static_cast<std::uint16_t>(a >> 16))) *
             widened(static_cast<std::uint16_t>(b >> 16));
}

class TileProducts : public testing::TestWithParam<std::tuple<int, int, int, bool>> {};

TEST_P(TileProducts, AreSumsOverPairs) {
  const auto [rows, columns, pairs, add] = GetParam();
  const std::int64_t a_stride = pairs + 3, b_stride = columns + 5, c_stride = columns + 7;
  const auto a = drawn_pairs(rows * a_stride, 1), b = drawn_pairs(pairs * b_stride, 2);
  const auto before = test::uniform(rows * c_stride, -1, 1, 3);
  auto c = before;
  const Unit::Session session;
  const auto call = add ? &Unit::product<true> : &Unit::product<false>;
  call({a.data(), a_stride}, {b.data(), b_stride}, {c.data(), c_stride}, {rows, columns, pairs});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < c_stride; ++j) {
      const auto at = static_cast<std::size_t>(i * c_stride + j);
      double expected = add || j >= columns ? static_cast<double>(before[at]) : 0;
      for (std::int64_t k = 0; k < (j < columns ? pairs : 0); ++k)
        expected += dot(a[static_cast<std::size_t>(i * a_stride + k)], b[static_cast<std::size_t>(k * b_stride + j)]);
      ASSERT_NEAR(static_cast<double>(c[at]), expected, 2e-5) << i << ", " << j;
    }
}
INSTANTIATE_TEST_SUITE_P(Cpu, TileProducts,
                         testing::Combine(testing::Values(16, 32, 48, 80), testing::Values(16, 32, 48, 96),
                                          testing::Values(16, 32, 80), testing::Bool()));

struct Problem {
  std::int64_t queries, keys, width;
  double scale = 0;  // 0: as usual
};

// q, k, v, d_o as the ops take them, d_lse.
struct Case {
  Problem problem;
  double scale;
  std::array<std::vector<float>, 4> matrices;
  std::vector<float> d_lse;

  explicit Case(const Problem& p)
      : problem(p), scale(p.scale != 0 ? p.scale : 1 / std::sqrt(static_cast<double>(p.width))) {
    for (std::size_t i = 0; i < 4; ++i) {
      matrices[i] = test::uniform((i == 1 || i == 2 ? p.keys : p.queries) * p.width, -2, 2, i);
      for (float& value : matrices[i]) value = static_cast<float>(BFloat16(value));
    }
    d_lse = test::uniform(p.queries, -1, 1, 9);
  }
};

using Outputs = std::vector<std::vector<float>>;  // o, lse, dq, dk, dv

Outputs by_ops(const Case& c, const std::shared_ptr<Backend>& backend, const KernelTable& table, DType dtype) {
  Context ctx(backend, table);
  const auto matrix = [&](std::size_t i) {
    const std::int64_t rows = i == 1 || i == 2 ? c.problem.keys : c.problem.queries;
    return ops::cast(ctx, ctx.tensor(c.matrices[i], {rows, c.problem.width}), dtype);
  };
  const Tensor q = matrix(0), k = matrix(1), v = matrix(2), d_o = matrix(3);
  const Tensor q_offsets = ops::Segments::from_lengths(ctx, {c.problem.queries}).device_offsets();
  const Tensor k_offsets = ops::Segments::from_lengths(ctx, {c.problem.keys}).device_offsets();
  const Tensor d_lse = ctx.tensor(c.d_lse, {1, c.problem.queries});
  const auto out = ops::run(ctx, ops::Attention{c.problem.width, c.scale, c.problem.queries, c.problem.keys},
                            {q, k, v, q_offsets, k_offsets});
  const auto grads = ops::run(ctx, ops::AttentionBackward{c.problem.width, c.scale, c.problem.queries, c.problem.keys},
                              {q, k, v, q_offsets, k_offsets, out[0], out[1], d_o, d_lse});
  Outputs all;
  for (const auto& tensors : {out, grads})
    for (const auto& tensor : tensors) all.push_back(ctx.to_host<float>(ops::cast(ctx, tensor, DType::f32)));
  return all;
}

Outputs by_tiles(const Case& c) {
  const auto [queries, keys, d, unused] = c.problem;
  std::array<std::vector<std::uint16_t>, 4> in;
  for (std::size_t i = 0; i < 4; ++i) in[i] = halves_of(c.matrices[i]);
  std::array<std::vector<std::uint16_t>, 4> out;  // o, dq, dk, dv
  for (std::size_t i = 0; i < 4; ++i) out[i].resize(in[i == 0 || i == 1 ? 0 : 1].size());
  std::vector<float> lse(static_cast<std::size_t>(queries));
  const auto memory = [](std::int64_t floats) {
    return std::vector<float>(static_cast<std::size_t>(floats), std::numeric_limits<float>::quiet_NaN());
  };
  const cpu::AttentionProblem<std::uint16_t> problem{
      {in[0].data(), d}, {in[1].data(), d}, {in[2].data(), d}, queries, keys, d, static_cast<float>(c.scale)};
  const auto& kernels = Kernels::kKernels;
  kernels.forward(problem, {out[0].data(), d}, lse.data(), memory(kernels.forward_scratch(d, queries)).data());
  std::vector<float> dq(static_cast<std::size_t>(kernels.dq_floats(d, queries)));
  kernels.backward(problem, {{out[0].data(), d}, {in[3].data(), d}, lse.data(), c.d_lse.data()}, dq.data(),
                   {out[2].data(), d}, {out[3].data(), d}, memory(kernels.backward_scratch(d, keys)).data());
  kernels.write_dq(dq.data(), queries, d, static_cast<float>(c.scale), {out[1].data(), d});
  Outputs all{{}, lse, {}, {}, {}};
  for (std::size_t i = 0; i < 4; ++i)
    for (const auto half : out[i]) all[i == 0 ? 0 : i + 1].push_back(widened(half));
  return all;
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

class TileAttention : public testing::TestWithParam<Problem> {};

TEST_P(TileAttention, AgreesWithTheReferenceAndThisMachine) {
  const Case c(GetParam());
  const KernelTable cpu_table = make_cpu_table(), reference_table = make_reference_table();
  const auto exact = by_ops(c, make_reference_backend(), reference_table, DType::f32);
  const auto machine = by_ops(c, make_cpu_backend({.threads = 1}), cpu_table, DType::bf16);
  const auto tiles = by_tiles(c);
  const char* names[] = {"o", "lse", "dq", "dk", "dv"};
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    SCOPED_TRACE(names[i]);
    EXPECT_LT(relative_error(tiles[i], exact[i]), i == 1 ? 2e-6 : 8e-3);
    EXPECT_LT(relative_error(tiles[i], machine[i]), i == 1 ? 1e-6 : 8e-3);
  }
}
INSTANTIATE_TEST_SUITE_P(Cpu, TileAttention,
                         testing::Values(Problem{2, 3, 8}, Problem{5, 40, 24}, Problem{31, 33, 16},
                                         Problem{197, 197, 64}, Problem{97, 513, 72}, Problem{129, 131, 128},
                                         Problem{200, 65, 104}, Problem{33, 50, 32, -0.3}));

}  // namespace
}  // namespace strata
