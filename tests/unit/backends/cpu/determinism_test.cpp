// SPDX-License-Identifier: Apache-2.0
//
// The same bits from 1, 2 and 3 threads and from every instruction set; of oneDNN's products, the same bits for the
// same number of threads. Sizes are such that every kernel cuts its work into several chunks, with an odd rest.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>

#include "strata/ops/concat.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/dropout.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/gelu.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/layer_norm.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/patches.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/regroup.hpp"
#include "strata/ops/resample.hpp"
#include "strata/ops/softmax.hpp"
#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

constexpr std::int64_t kRows = 1003, kWidth = 203;

using Outputs = std::vector<Tensor>;
struct Example {
  std::string name;
  std::function<Outputs(Context&)> run;
};

Tensor drawn(const Context& ctx, const Shape& shape, std::uint64_t stream = 0) {
  return ctx.tensor(test::uniform(shape.numel(), -2, 2, stream), shape);
}
Tensor rows(const Context& ctx, std::uint64_t stream = 0) { return drawn(ctx, {kRows, kWidth}, stream); }

std::vector<std::int64_t> numbers(std::int64_t n, std::int64_t below) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < n; ++i) result.push_back(i * 7919 % below);
  return result;
}
Tensor index(const Context& ctx, std::int64_t n, std::int64_t below) { return ctx.tensor(numbers(n, below), {n}); }

Tensor offsets(const Context& ctx, const std::vector<std::int32_t>& values) {
  return ctx.tensor(values, {static_cast<std::int64_t>(values.size())});
}
// Five fine sequences of one prefix token in two coarse ones.
Tensor fine(const Context& ctx) { return offsets(ctx, {0, 200, 250, 600, 1000, kRows}); }
Tensor coarse(const Context& ctx) { return offsets(ctx, {0, 249, kRows - 3}); }
Tensor parts(const Context& ctx) { return offsets(ctx, {0, 2, 5}); }

Outputs row_ops(Context& ctx) {
  const Tensor x = rows(ctx), dy = rows(ctx, 1), gamma = drawn(ctx, {kWidth}, 2), beta = drawn(ctx, {kWidth}, 3);
  const auto norm = ops::run(ctx, ops::LayerNorm{}, {x, gamma, beta});
  const auto back = ops::run(ctx, ops::LayerNormBackward{}, {x, gamma, norm[1], norm[2], dy});
  const auto unit = ops::run(ctx, ops::L2Normalize{}, {x});
  const Tensor soft = ops::run1(ctx, ops::Softmax{}, {x});
  return {norm[0], norm[1],
          norm[2], back[0],
          back[1], back[2],
          unit[0], ops::run1(ctx, ops::L2NormalizeBackward{}, {unit[0], unit[1], dy}),
          soft,    ops::run1(ctx, ops::SoftmaxBackward{}, {soft, dy})};
}

Outputs losses(Context& ctx) {
  const Tensor x = rows(ctx), target = index(ctx, kRows, kWidth), dloss = drawn(ctx, {kRows}, 1);
  const auto loss = ops::run(ctx, ops::CrossEntropy{}, {x, target});
  return {loss[0], loss[1], ops::run1(ctx, ops::CrossEntropyBackward{}, {x, target, loss[1], dloss})};
}

Outputs elementwise(Context& ctx) {
  const Tensor x = rows(ctx), y = rows(ctx, 1), suffix = drawn(ctx, {kWidth}, 2), half = ops::cast(ctx, x, DType::bf16);
  return {ops::add(ctx, x, y),
          ops::run1(ctx, ops::Mul{}, {x, suffix}),
          ops::run1(ctx, ops::Scale{0.3}, {x}),
          ops::run1(ctx, ops::Gelu{}, {x}),
          ops::run1(ctx, ops::GeluBackward{}, {x, y}),
          half,
          ops::run1(ctx, ops::Gelu{}, {half}),
          ops::cast(ctx, half, DType::f32),
          ops::run1(ctx, ops::Copy{}, {x.transpose(0, 1)})};
}

Outputs reductions(Context& ctx) {
  const Tensor x = rows(ctx), cube = drawn(ctx, {3, 601, 37});
  return {ops::sum_all(ctx, x),
          ops::run1(ctx, ops::Reduce{.axis = 0}, {x}),
          ops::run1(ctx, ops::Reduce{.kind = ops::Reduction::mean, .axis = 1}, {x}),
          ops::run1(ctx, ops::Reduce{.axis = 1}, {cube}),
          ops::run1(ctx, ops::Expand{.shape = x.shape(), .axis = 1}, {drawn(ctx, {kRows})}),
          ops::run1(ctx, ops::Expand{.shape = x.shape(), .axis = 0}, {drawn(ctx, {kWidth})})};
}

Outputs movement(Context& ctx) {
  const Tensor x = rows(ctx), at = index(ctx, 2 * kRows, kRows), few = index(ctx, kRows, 17);
  const auto merged = ops::run1(ctx, ops::MergeTokens{.rows = kRows - 3}, {x, fine(ctx), coarse(ctx), parts(ctx)});
  const auto split = ops::run(ctx, ops::SplitPrefix{}, {x, fine(ctx)});
  return {ops::run1(ctx, ops::GatherRows{}, {x, at}),
          ops::run1(ctx, ops::ScatterAddRows{17}, {x, few}),
          ops::run1(ctx, ops::AddRows{}, {x, drawn(ctx, {17, kWidth}), few}),
          merged,
          ops::run1(ctx, ops::SplitTokens{.rows = kRows}, {merged, fine(ctx), coarse(ctx), parts(ctx)}),
          split[0],
          split[1],
          ops::run1(ctx, ops::JoinPrefix{}, {split[0], split[1], fine(ctx)}),
          ops::run1(ctx, ops::SegmentMean{1}, {x, fine(ctx)}),
          ops::run1(ctx, ops::SegmentMeanBackward{1, kRows}, {drawn(ctx, {5, kWidth}), fine(ctx)}),
          ops::run1(ctx, ops::Concat{1}, {x, x})};
}

Outputs draws(Context& ctx) {
  const Tensor keys = ctx.tensor(numbers(10, 1000), {5, 2});
  const Tensor factor = ops::run1(ctx, ops::DropPathFactors{.rate = 0.5}, {keys});
  return {ops::run1(ctx, ops::Dropout{.rate = 0.3}, {rows(ctx), keys, fine(ctx)}), factor,
          ops::run1(ctx, ops::ScaleSegments{}, {rows(ctx), factor, fine(ctx)})};
}

Outputs volumes(Context& ctx) {
  const Tensor volume = drawn(ctx, {2, 1, 16, 48, 64});
  const Tensor patches = ops::run1(ctx, ops::PatchUnfold{}, {volume});
  return {patches, ops::run1(ctx, ops::PatchFold{.geometry = {}, .scale = 2, .shape = volume.shape()}, {patches}),
          ops::resample(ctx, volume, 2, {24, 31, 33}, ops::ResampleFilter::cubic_antialias)};
}

Outputs products(Context& ctx) {
  const Tensor x = rows(ctx), w = drawn(ctx, {311, kWidth}, 1), y = drawn(ctx, {kRows, 311}, 2);
  return {ops::run1(ctx, ops::Linear{}, {x, w, drawn(ctx, {311}, 3)}), ops::matmul(ctx, y, w),
          ops::matmul(ctx, y, x, true)};
}

// f32 rows, and bf16 where a mixed model has it.
Outputs mixed(Context& ctx) {
  const auto half = [&](const Tensor& x) { return ops::cast(ctx, x, DType::bf16); };
  const Tensor x = rows(ctx), branch = half(rows(ctx, 1)), past = rows(ctx, 2);
  const Tensor gamma = drawn(ctx, {kWidth}, 3), beta = drawn(ctx, {kWidth}, 4);
  const Tensor keys = ctx.tensor(numbers(10, 1000), {5, 2}), few = index(ctx, kRows, 17);
  auto all = ops::run(ctx, ops::AddLayerNorm{.output = DType::bf16}, {x, branch, gamma, beta});
  const auto back =
      ops::run(ctx, ops::LayerNormBackward{.narrowed = DType::bf16}, {all[0], gamma, all[2], all[3], branch, past});
  all.insert(all.end(), back.begin(), back.end());
  for (const Tensor& one :
       {ops::run1(ctx, ops::LayerNorm{.output = DType::bf16}, {x, gamma, beta}), ops::add(ctx, x, branch),
        ops::add(ctx, branch, beta), ops::run1(ctx, ops::Reduce{.wide = true}, {branch}),
        ops::run1(ctx, ops::Reduce{.axis = 1, .wide = true}, {branch}), ops::sum_all(ctx, branch),
        ops::run1(ctx, ops::Softmax{}, {branch}), ops::run1(ctx, ops::L2Normalize{}, {branch}),
        ops::run1(ctx, ops::ScatterAddRows{17}, {branch, few}),
        ops::run1(ctx, ops::AddRows{}, {branch, drawn(ctx, {17, kWidth}), few}),
        ops::run1(ctx, ops::Dropout{.rate = 0.3}, {branch, keys, fine(ctx)}),
        ops::run1(ctx, ops::SegmentMean{1}, {branch, fine(ctx)}),
        ops::run1(ctx, ops::MergeTokens{.rows = kRows - 3}, {branch, fine(ctx), coarse(ctx), parts(ctx)}),
        ops::run1(ctx, ops::PatchUnfold{.geometry = {}, .scale = 0.3, .shift = -1, .to = DType::bf16},
                  {drawn(ctx, {2, 1, 16, 48, 64})})})
    all.push_back(one);
  return all;
}

const std::vector<Example> kExamples{{"rows", row_ops},          {"losses", losses},     {"elementwise", elementwise},
                                     {"reductions", reductions}, {"movement", movement}, {"draws", draws},
                                     {"volumes", volumes},       {"mixed", mixed}};

std::vector<std::string> bits_of(const Example& example, const CpuOptions& options) {
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend(options), table);
  std::vector<std::string> bits;
  for (const auto& output : example.run(ctx)) bits.emplace_back(static_cast<const char*>(output.raw()), output.bytes());
  return bits;
}

class CpuDeterminism : public testing::TestWithParam<std::size_t> {};

TEST_P(CpuDeterminism, ThreadsAndInstructionSetsDoNotChangeABit) {
  const Example& example = kExamples[GetParam()];
  const auto first = bits_of(example, {.threads = 1, .isa = CpuIsa::baseline});
  for (const auto isa : test::instruction_sets())
    for (const int threads : {1, 2, 3}) {
      const auto bits = bits_of(example, {.threads = threads, .isa = isa});
      ASSERT_EQ(bits.size(), first.size());
      for (std::size_t i = 0; i < bits.size(); ++i)
        EXPECT_TRUE(bits[i] == first[i]) << "output " << i << ", " << name_of(isa) << ", " << threads << " threads";
    }
}

std::string example_name(const testing::TestParamInfo<std::size_t>& param) { return kExamples[param.param].name; }
INSTANTIATE_TEST_SUITE_P(Cpu, CpuDeterminism, testing::Range<std::size_t>(0, kExamples.size()), example_name);

TEST(CpuProducts, RepeatExactlyForFixedThreads) {
  const Example example{"products", products};
  for (const int threads : {1, 2, 3})
    EXPECT_TRUE(bits_of(example, {.threads = threads}) == bits_of(example, {.threads = threads}))
        << threads << " threads";
}

}  // namespace
}  // namespace strata
