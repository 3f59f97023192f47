// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/regroup.hpp"

#include <fmt/format.h>

#include "backends/reference/offsets.hpp"
#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

// One fine sequence and the rows of a coarse one that it corresponds to.
struct Part {
  std::int64_t fine, fine_patches, coarse, coarse_patches, patches;  // first rows, and how many patch tokens
  double share;                                                      // 1 / parts of the coarse sequence
};

// inputs: x, fine, coarse, parts.
std::vector<Part> parts_of(std::string_view op, Inputs in, std::int64_t prefix, std::int64_t fine_rows,
                           std::int64_t coarse_rows) {
  const auto fine = load_offsets(op, in[1], fine_rows), coarse = load_offsets(op, in[2], coarse_rows);
  const auto first = load_offsets(op, in[3], static_cast<std::int64_t>(fine.size()) - 1);
  std::vector<Part> parts;
  for (std::size_t j = 0; j + 1 < coarse.size(); ++j) {
    auto row = coarse[j] + prefix;
    for (auto i = at(first[j]); i < at(first[j + 1]); ++i) {
      const auto patches = fine[i + 1] - fine[i] - prefix;
      STRATA_CHECK(
          patches >= 0, internal, op,
          fmt::format("fine sequence {} has {} rows, fewer than {} prefix tokens", i, fine[i + 1] - fine[i], prefix));
      parts.push_back(
          {fine[i], fine[i] + prefix, coarse[j], row, patches, 1.0 / static_cast<double>(first[j + 1] - first[j])});
      row += patches;
    }
    STRATA_CHECK(row == coarse[j + 1] || coarse[j] == coarse[j + 1], internal, op,
                 fmt::format("coarse sequence {} has {} rows, its parts need {}", j, coarse[j + 1] - coarse[j],
                             row - coarse[j]));
  }
  return parts;
}

// Rows of doubles, `width` each.
struct RowCopier {
  const Values& from;
  Values& to;
  std::int64_t width;
  void add(std::int64_t row_to, std::int64_t row_from, std::int64_t rows, double factor = 1) const {
    for (std::int64_t e = 0; e < rows * width; ++e)
      to[at(row_to * width + e)] += factor * from[at(row_from * width + e)];
  }
};

void merge_tokens(const ops::MergeTokens& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  Values y(at(out[0].numel()), 0.0);
  const RowCopier rows{x, y, in[0].dim(1)};
  for (const auto& part : parts_of(op.kName, in, op.prefix, in[0].dim(0), op.rows)) {
    rows.add(part.coarse, part.fine, op.prefix, op.rule == ops::PrefixMerge::mean ? part.share : 1.0);
    rows.add(part.coarse_patches, part.fine_patches, part.patches);
  }
  store(out[0], y);
}

void split_tokens(const ops::SplitTokens& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  Values y(at(out[0].numel()), 0.0);
  const RowCopier rows{x, y, in[0].dim(1)};
  for (const auto& part : parts_of(op.kName, in, op.prefix, op.rows, in[0].dim(0))) {
    rows.add(part.fine, part.coarse, op.prefix, op.rule == ops::PrefixSplit::share ? part.share : 1.0);
    rows.add(part.fine_patches, part.coarse_patches, part.patches);
  }
  store(out[0], y);
}

// Calls f(first row of the sequence, first row of its patches among all patches, how many).
template <class F>
void for_each_prefixed(std::string_view op, const Tensor& offsets, std::int64_t rows, std::int64_t prefix, F f) {
  std::int64_t patches_before = 0;
  const auto begin = load_offsets(op, offsets, rows);
  for (std::size_t i = 0; i + 1 < begin.size(); ++i) {
    const auto patches = begin[i + 1] - begin[i] - prefix;
    STRATA_CHECK(
        patches >= 0, internal, op,
        fmt::format("sequence {} has {} rows, fewer than {} prefix tokens", i, begin[i + 1] - begin[i], prefix));
    f(begin[i], patches_before, patches);
    patches_before += patches;
  }
}

void join_prefix(const ops::JoinPrefix& op, Inputs in, Outputs out, Context&) {
  const Values prefix = load(in[0]), patches = load(in[1]);
  Values y(at(out[0].numel()), 0.0);
  const std::int64_t count = in[0].dim(0), width = in[0].dim(1);
  for_each_prefixed(op.kName, in[2], out[0].dim(0), count, [&](std::int64_t row, std::int64_t from, std::int64_t n) {
    RowCopier{prefix, y, width}.add(row, 0, count);
    RowCopier{patches, y, width}.add(row + count, from, n);
  });
  store(out[0], y);
}

void split_prefix(const ops::SplitPrefix& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  Values prefix(at(out[0].numel()), 0.0), patches(at(out[1].numel()), 0.0);
  const std::int64_t width = in[0].dim(1);
  for_each_prefixed(op.kName, in[1], in[0].dim(0), op.prefix, [&](std::int64_t row, std::int64_t to, std::int64_t n) {
    RowCopier{x, prefix, width}.add(0, row, op.prefix);
    RowCopier{x, patches, width}.add(to, row + op.prefix, n);
  });
  store(out[0], prefix);
  store(out[1], patches);
}

void segment_mean(const ops::SegmentMean& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  Values y(at(out[0].numel()), 0.0);
  const RowCopier rows{x, y, in[0].dim(1)};
  const auto offsets = load_offsets(op.kName, in[1], in[0].dim(0));
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    for (auto row = offsets[i] + op.skip; row < offsets[i + 1]; ++row)
      rows.add(static_cast<std::int64_t>(i), row, 1, 1.0 / static_cast<double>(offsets[i + 1] - offsets[i] - op.skip));
  store(out[0], y);
}

void segment_mean_backward(const ops::SegmentMeanBackward& op, Inputs in, Outputs out, Context&) {
  const Values dy = load(in[0]);
  Values dx(at(out[0].numel()), 0.0);
  const RowCopier rows{dy, dx, in[0].dim(1)};
  const auto offsets = load_offsets(op.kName, in[1], op.rows);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    for (auto row = offsets[i] + op.skip; row < offsets[i + 1]; ++row)
      rows.add(row, static_cast<std::int64_t>(i), 1, 1.0 / static_cast<double>(offsets[i + 1] - offsets[i] - op.skip));
  store(out[0], dx);
}

}  // namespace

void register_regroup(KernelTable& table) {
  table.add<ops::MergeTokens>("reference", merge_tokens, first_floating);
  table.add<ops::SplitTokens>("reference", split_tokens, first_floating);
  table.add<ops::JoinPrefix>("reference", join_prefix, first_floating);
  table.add<ops::SplitPrefix>("reference", split_prefix, first_floating);
  table.add<ops::SegmentMean>("reference", segment_mean, first_floating);
  table.add<ops::SegmentMeanBackward>("reference", segment_mean_backward, first_floating);
}

}  // namespace strata::reference
