// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/regroup.hpp"

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/index.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/simd/sums.hpp"
#include "backends/cpu/threads.hpp"
#include "strata/base/error.hpp"

namespace strata::cpu {
namespace {

// Where a fine sequence's patch tokens lie among the coarse rows.
struct Part {
  std::int64_t fine, coarse_patches, patches;  // first rows; how many patch tokens
};
// A coarse sequence and the parts [first, last) that it is made of.
struct Whole {
  std::int64_t coarse, first, last;
};
struct Plan {
  std::vector<Part> parts;
  std::vector<Whole> wholes;
};

// inputs: x, fine, coarse, parts
Plan plan_of(std::string_view op, Inputs in, std::int64_t prefix, std::int64_t fine_rows, std::int64_t coarse_rows) {
  const auto fine = load_offsets(op, in[1], fine_rows), coarse = load_offsets(op, in[2], coarse_rows);
  const auto first = load_offsets(op, in[3], std::ssize(fine) - 1);
  Plan plan;
  for (std::size_t j = 0; j + 1 < coarse.size(); ++j) {
    std::int64_t row = coarse[j] + prefix;
    for (auto i = static_cast<std::size_t>(first[j]); i < static_cast<std::size_t>(first[j + 1]); ++i) {
      const std::int64_t patches = fine[i + 1] - fine[i] - prefix;
      STRATA_CHECK(patches >= 0, internal, op,
                   fmt::format("fine sequence {} has fewer rows than {} prefix tokens", i, prefix));
      plan.parts.push_back({fine[i], row, patches});
      row += patches;
    }
    const bool nothing = coarse[j] == coarse[j + 1] && first[j] == first[j + 1];
    STRATA_CHECK(row == coarse[j + 1] || nothing, internal, op,
                 fmt::format("coarse sequence {} has {} rows, its parts need {}", j, coarse[j + 1] - coarse[j],
                             row - coarse[j]));
    if (!nothing) plan.wholes.push_back({coarse[j], first[j], first[j + 1]});
  }
  return plan;
}

// Dense rows of float.
struct RowsOf {
  float* data;
  std::int64_t width;
  float* operator[](std::int64_t row) const { return data + row * width; }
  void copy(std::int64_t to, const RowsOf& source, std::int64_t from, std::int64_t rows) const {
    if (rows > 0) std::memcpy((*this)[to], source[from], static_cast<std::size_t>(rows * width) * sizeof(float));
  }
};
RowsOf rows(const Tensor& x) { return {memory<float>(x), x.dim(1)}; }

std::span<const Part> parts_of(const Plan& plan, const Whole& whole) {
  return std::span(plan.parts)
      .subspan(static_cast<std::size_t>(whole.first), static_cast<std::size_t>(whole.last - whole.first));
}

// Sums rows in double, in the order they are added.
class RowSum {
 public:
  RowSum(const Context& ctx, std::int64_t width)
      : kernels_(simd(ctx, sums_simd)), sums_(static_cast<std::size_t>(width)) {}
  void add(const float* row) { add(row, 1); }
  void add(const float* first, std::int64_t rows) {
    kernels_.columns(first, std::ssize(sums_), rows, std::ssize(sums_), sums_.data());
  }
  void take(float* to, double factor) {
    for (auto& sum : sums_) {
      *to++ = static_cast<float>(factor * sum);
      sum = 0;
    }
  }

 private:
  const SumsSimd& kernels_;
  std::vector<double> sums_;
};

void merge_tokens(const ops::MergeTokens& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf x = rows(in[0]), y = rows(out[0]);
  const Plan plan = plan_of(op.kName, in, op.prefix, in[0].dim(0), op.rows);
  parallel_for(
      ctx, std::ssize(plan.wholes), 1,
      [&](std::int64_t j, std::int64_t) {
        const Whole& whole = plan.wholes[static_cast<std::size_t>(j)];
        const auto parts = parts_of(plan, whole);
        const double share =
            op.rule == ops::PrefixMerge::mean ? 1 / static_cast<double>(std::max<std::size_t>(1, parts.size())) : 1;
        RowSum sum(ctx, x.width);
        for (std::int64_t p = 0; p < op.prefix; ++p) {
          for (const auto& part : parts) sum.add(x[part.fine + p]);
          sum.take(y[whole.coarse + p], share);
        }
        for (const auto& part : parts) y.copy(part.coarse_patches, x, part.fine + op.prefix, part.patches);
      },
      Schedule::uneven);
}

void split_tokens(const ops::SplitTokens& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const RowsOf x = rows(in[0]), y = rows(out[0]);
  const Plan plan = plan_of(op.kName, in, op.prefix, op.rows, in[0].dim(0));
  parallel_for(
      ctx, std::ssize(plan.wholes), 1,
      [&](std::int64_t j, std::int64_t) {
        const Whole& whole = plan.wholes[static_cast<std::size_t>(j)];
        const auto parts = parts_of(plan, whole);
        const float share = op.rule == ops::PrefixSplit::share ? 1 / static_cast<float>(parts.size()) : 1;
        for (const auto& part : parts) {
          kernels.f32.scale(x[whole.coarse], share, y[part.fine], op.prefix * x.width);
          y.copy(part.fine + op.prefix, x, part.coarse_patches, part.patches);
        }
      },
      Schedule::uneven);
}

// Sequences with `prefix` rows before their patches: how far patches lie behind one another when prefixes are left out.
std::vector<std::int64_t> prefixed(std::string_view op, const Tensor& offsets, std::int64_t rows, std::int64_t prefix) {
  auto begin = load_offsets(op, offsets, rows);
  for (std::size_t i = 0; i + 1 < begin.size(); ++i)
    STRATA_CHECK(
        begin[i + 1] - begin[i] >= prefix, internal, op,
        fmt::format("sequence {} has {} rows, fewer than {} prefix tokens", i, begin[i + 1] - begin[i], prefix));
  return begin;
}

void join_prefix(const ops::JoinPrefix& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf prefix = rows(in[0]), patches = rows(in[1]), y = rows(out[0]);
  const std::int64_t count = in[0].dim(0);
  const auto begin = prefixed(op.kName, in[2], out[0].dim(0), count);
  parallel_for(ctx, std::ssize(begin) - 1, 1, [&](std::int64_t i, std::int64_t) {
    const std::int64_t first = begin[static_cast<std::size_t>(i)], last = begin[static_cast<std::size_t>(i) + 1];
    y.copy(first, prefix, 0, count);
    y.copy(first + count, patches, first - i * count, last - first - count);
  });
}

void split_prefix(const ops::SplitPrefix& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf x = rows(in[0]), prefix = rows(out[0]), patches = rows(out[1]);
  const auto begin = prefixed(op.kName, in[1], in[0].dim(0), op.prefix);
  const std::int64_t count = std::ssize(begin) - 1;
  parallel_for(ctx, op.prefix, 1, [&](std::int64_t p, std::int64_t) {
    RowSum sum(ctx, x.width);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) sum.add(x[begin[i] + p]);
    sum.take(prefix[p], 1);
  });
  parallel_for(ctx, count, 1, [&](std::int64_t i, std::int64_t) {
    const std::int64_t first = begin[static_cast<std::size_t>(i)], last = begin[static_cast<std::size_t>(i) + 1];
    patches.copy(first - i * op.prefix, x, first + op.prefix, last - first - op.prefix);
  });
}

void segment_mean(const ops::SegmentMean& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf x = rows(in[0]), y = rows(out[0]);
  const auto begin = load_offsets(op.kName, in[1], in[0].dim(0));
  parallel_for(
      ctx, std::ssize(begin) - 1, 1,
      [&](std::int64_t i, std::int64_t) {
        const std::int64_t first = begin[static_cast<std::size_t>(i)] + op.skip;
        const std::int64_t count = std::max<std::int64_t>(0, begin[static_cast<std::size_t>(i) + 1] - first);
        RowSum sum(ctx, x.width);
        if (count > 0) sum.add(x[first], count);
        sum.take(y[i], count > 0 ? 1 / static_cast<double>(count) : 0);
      },
      Schedule::uneven);
}

void segment_mean_backward(const ops::SegmentMeanBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const RowsOf dy = rows(in[0]), dx = rows(out[0]);
  const auto begin = load_offsets(op.kName, in[1], op.rows);
  parallel_for(
      ctx, std::ssize(begin) - 1, 1,
      [&](std::int64_t i, std::int64_t) {
        const std::int64_t last = begin[static_cast<std::size_t>(i) + 1];
        const std::int64_t first = std::min(last, begin[static_cast<std::size_t>(i)] + op.skip);
        for (std::int64_t row = begin[static_cast<std::size_t>(i)]; row < first; ++row)
          kernels.fill(dx[row], 0.0f, dx.width);
        for (std::int64_t row = first; row < last; ++row)
          kernels.f32.scale(dy[i], 1 / static_cast<float>(last - first), dx[row], dx.width);
      },
      Schedule::uneven);
}

}  // namespace

void add_regroup(KernelTable& table) {
  table.add<ops::MergeTokens>("vector f32", merge_tokens, serves::f32);
  table.add<ops::SplitTokens>("vector f32", split_tokens, serves::f32);
  table.add<ops::JoinPrefix>("vector f32", join_prefix, serves::f32);
  table.add<ops::SplitPrefix>("vector f32", split_prefix, serves::f32);
  table.add<ops::SegmentMean>("vector f32", segment_mean, serves::f32);
  table.add<ops::SegmentMeanBackward>("vector f32", segment_mean_backward, serves::f32);
}

}  // namespace strata::cpu
