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

// Dense rows of float, or of bf16.
template <class T>
struct RowsOf {
  T* data;
  std::int64_t width;
  T* operator[](std::int64_t row) const { return data + row * width; }
  void copy(std::int64_t to, const RowsOf& source, std::int64_t from, std::int64_t rows) const {
    if (rows > 0) std::memcpy((*this)[to], source[from], static_cast<std::size_t>(rows * width) * sizeof(T));
  }
};
template <class T>
RowsOf<T> rows(const Tensor& x) {
  return {memory<T>(x), x.dim(1)};
}

std::span<const Part> parts_of(const Plan& plan, const Whole& whole) {
  return std::span(plan.parts)
      .subspan(static_cast<std::size_t>(whole.first), static_cast<std::size_t>(whole.last - whole.first));
}

// Sums rows in double, in the order they are added.
template <class T>
class RowSum {
 public:
  RowSum(const Context& ctx, const Tensor& to)
      : kernels_(sums_of<T>(simd(ctx, sums_simd))), to_(to), sums_(static_cast<std::size_t>(to.dim(1))) {}
  void add(const T* first, std::int64_t rows = 1) {
    kernels_.columns(first, std::ssize(sums_), rows, std::ssize(sums_), sums_.data());
  }
  // Row `row` of the output becomes factor · the sum, which begins anew.
  void take(std::int64_t row, double factor) {
    std::int64_t at = row * std::ssize(sums_);
    for (auto& sum : sums_) {
      put(to_, at++, factor * sum);
      sum = 0;
    }
  }

 private:
  const SumsOf<T>& kernels_;
  const Tensor& to_;
  std::vector<double> sums_;
};

template <class T>
void merge_tokens(const ops::MergeTokens& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf<T> x = rows<T>(in[0]), y = rows<T>(out[0]);
  const Plan plan = plan_of(op.kName, in, op.prefix, in[0].dim(0), op.rows);
  parallel_for(
      ctx, std::ssize(plan.wholes), 1,
      [&](std::int64_t j, std::int64_t) {
        const Whole& whole = plan.wholes[static_cast<std::size_t>(j)];
        const auto parts = parts_of(plan, whole);
        const double share =
            op.rule == ops::PrefixMerge::mean ? 1 / static_cast<double>(std::max<std::size_t>(1, parts.size())) : 1;
        RowSum<T> sum(ctx, out[0]);
        for (std::int64_t p = 0; p < op.prefix; ++p) {
          for (const auto& part : parts) sum.add(x[part.fine + p]);
          sum.take(whole.coarse + p, share);
        }
        for (const auto& part : parts) y.copy(part.coarse_patches, x, part.fine + op.prefix, part.patches);
      },
      Schedule::uneven);
}

template <class T>
void split_tokens(const ops::SplitTokens& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const RowsOf<T> x = rows<T>(in[0]), y = rows<T>(out[0]);
  const Plan plan = plan_of(op.kName, in, op.prefix, op.rows, in[0].dim(0));
  parallel_for(
      ctx, std::ssize(plan.wholes), 1,
      [&](std::int64_t j, std::int64_t) {
        const Whole& whole = plan.wholes[static_cast<std::size_t>(j)];
        const auto parts = parts_of(plan, whole);
        const float share = op.rule == ops::PrefixSplit::share ? 1 / static_cast<float>(parts.size()) : 1;
        for (const auto& part : parts) {
          arithmetic<T>(kernels).scale(x[whole.coarse], share, y[part.fine], op.prefix * x.width);
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

template <class T>
void join_prefix(const ops::JoinPrefix& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf<T> prefix = rows<T>(in[0]), patches = rows<T>(in[1]), y = rows<T>(out[0]);
  const std::int64_t count = in[0].dim(0);
  const auto begin = prefixed(op.kName, in[2], out[0].dim(0), count);
  parallel_for(ctx, std::ssize(begin) - 1, 1, [&](std::int64_t i, std::int64_t) {
    const std::int64_t first = begin[static_cast<std::size_t>(i)], last = begin[static_cast<std::size_t>(i) + 1];
    y.copy(first, prefix, 0, count);
    y.copy(first + count, patches, first - i * count, last - first - count);
  });
}

template <class T>
void split_prefix(const ops::SplitPrefix& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf<T> x = rows<T>(in[0]), patches = rows<T>(out[1]);
  const auto begin = prefixed(op.kName, in[1], in[0].dim(0), op.prefix);
  const std::int64_t count = std::ssize(begin) - 1;
  parallel_for(ctx, op.prefix, 1, [&](std::int64_t p, std::int64_t) {
    RowSum<T> sum(ctx, out[0]);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) sum.add(x[begin[i] + p]);
    sum.take(p, 1);
  });
  parallel_for(ctx, count, 1, [&](std::int64_t i, std::int64_t) {
    const std::int64_t first = begin[static_cast<std::size_t>(i)], last = begin[static_cast<std::size_t>(i) + 1];
    patches.copy(first - i * op.prefix, x, first + op.prefix, last - first - op.prefix);
  });
}

template <class T>
void segment_mean(const ops::SegmentMean& op, Inputs in, Outputs out, Context& ctx) {
  const RowsOf<T> x = rows<T>(in[0]);
  const auto begin = load_offsets(op.kName, in[1], in[0].dim(0));
  parallel_for(
      ctx, std::ssize(begin) - 1, 1,
      [&](std::int64_t i, std::int64_t) {
        const std::int64_t first = begin[static_cast<std::size_t>(i)] + op.skip;
        const std::int64_t count = std::max<std::int64_t>(0, begin[static_cast<std::size_t>(i) + 1] - first);
        RowSum<T> sum(ctx, out[0]);
        if (count > 0) sum.add(x[first], count);
        sum.take(i, count > 0 ? 1 / static_cast<double>(count) : 0);
      },
      Schedule::uneven);
}

template <class T>
void segment_mean_backward(const ops::SegmentMeanBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const RowsOf<T> dy = rows<T>(in[0]), dx = rows<T>(out[0]);
  const auto begin = load_offsets(op.kName, in[1], op.rows);
  parallel_for(
      ctx, std::ssize(begin) - 1, 1,
      [&](std::int64_t i, std::int64_t) {
        const std::int64_t last = begin[static_cast<std::size_t>(i) + 1];
        const std::int64_t first = std::min(last, begin[static_cast<std::size_t>(i)] + op.skip);
        for (std::int64_t row = begin[static_cast<std::size_t>(i)]; row < first; ++row)
          std::fill_n(dx[row], dx.width, T{});
        for (std::int64_t row = first; row < last; ++row)
          arithmetic<T>(kernels).scale(dy[i], 1 / static_cast<float>(last - first), dx[row], dx.width);
      },
      Schedule::uneven);
}

}  // namespace

void add_regroup(KernelTable& table) {
  add_rows<ops::MergeTokens>(table, merge_tokens<float>, merge_tokens<std::uint16_t>);
  add_rows<ops::SplitTokens>(table, split_tokens<float>, split_tokens<std::uint16_t>);
  add_rows<ops::JoinPrefix>(table, join_prefix<float>, join_prefix<std::uint16_t>);
  add_rows<ops::SplitPrefix>(table, split_prefix<float>, split_prefix<std::uint16_t>);
  add_rows<ops::SegmentMean>(table, segment_mean<float>, segment_mean<std::uint16_t>);
  add_rows<ops::SegmentMeanBackward>(table, segment_mean_backward<float>, segment_mean_backward<std::uint16_t>);
}

}  // namespace strata::cpu
