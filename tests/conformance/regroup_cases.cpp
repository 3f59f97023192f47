// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "strata/ops/regroup.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using namespace strata::ops;

Input offsets(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> begins{0};
  for (const auto length : lengths) begins.push_back(begins.back() + length);
  return integers(DType::i32, {static_cast<std::int64_t>(begins.size())}, begins);
}

std::int64_t total(const std::vector<std::int64_t>& lengths) {
  std::int64_t sum = 0;
  for (const auto length : lengths) sum += length;
  return sum;
}

// Coarse sequence j consists of parts[j] fine ones; fine sequence i has patches[i] patch tokens.
struct Grouping {
  std::string label;
  std::vector<std::int64_t> patches, parts;
  std::int64_t prefix = 1, width = 20;

  std::vector<std::int64_t> fine() const {
    auto lengths = patches;
    for (auto& length : lengths) length += prefix;
    return lengths;
  }
  std::vector<std::int64_t> coarse() const {
    std::vector<std::int64_t> lengths;
    std::size_t next = 0;
    for (const auto count : parts) {
      std::int64_t length = prefix;
      for (std::int64_t i = 0; i < count; ++i) length += patches[next++];
      lengths.push_back(length);
    }
    return lengths;
  }
  std::vector<Input> inputs(std::int64_t rows) const {
    return {normal({rows, width}), offsets(fine()), offsets(coarse()), offsets(parts)};
  }
};

void add_regroup(std::vector<OpCase>& list, const Grouping& g) {
  const auto fine = total(g.fine()), coarse = total(g.coarse());
  const double bytes = 4.0 * static_cast<double>((fine + coarse) * g.width);
  const auto add = [&](const OpCase& one) { list.push_back(fine > 1000 ? one.timed(bytes, 0) : one); };
  add(OpCase(g.label + ", mean", MergeTokens{g.prefix, coarse, PrefixMerge::mean}, g.inputs(fine)));
  add(OpCase(g.label + ", sum", MergeTokens{g.prefix, coarse, PrefixMerge::sum}, g.inputs(fine)));
  add(OpCase(g.label + ", copy", SplitTokens{g.prefix, fine, PrefixSplit::copy}, g.inputs(coarse)));
  add(OpCase(g.label + ", share", SplitTokens{g.prefix, fine, PrefixSplit::share}, g.inputs(coarse)));
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  add_regroup(list, {"one part", {5}, {1}});
  add_regroup(list, {"equal slices", {4, 4, 4, 4, 4, 4}, {3, 3}});
  add_regroup(list, {"ragged studies", {3, 7, 1, 0, 5, 2}, {1, 3, 2}, 1, 33});
  add_regroup(list, {"five prefix tokens", {3, 7, 2}, {2, 1}, 5});
  add_regroup(list, {"no prefix", {3, 0, 2}, {2, 1}, 0});
  add_regroup(list, {"prefix alone", {0, 0}, {2}, 2});
  add_regroup(list, {"rows of 264", {3, 7, 1, 0, 5, 2}, {1, 3, 2}, 1, 264});
  add_regroup(list, {"no sequences", {}, {}});
  add_regroup(list, {"two scans of slices", std::vector<std::int64_t>(12, 196), {6, 6}, 1, 768});

  const std::vector<std::int64_t> lengths{4, 2, 9, 3};
  list.push_back(OpCase("ragged", JoinPrefix{}, {normal({2, 20}), normal({10, 20}), offsets(lengths)}));
  list.push_back(OpCase("no prefix", JoinPrefix{}, {normal({0, 20}), normal({18, 20}), offsets(lengths)}));
  list.push_back(OpCase("no sequences", JoinPrefix{}, {normal({1, 20}), normal({0, 20}), offsets({})}));
  list.push_back(OpCase("ragged", SplitPrefix{2}, {normal({18, 20}), offsets(lengths)}));
  list.push_back(OpCase("no prefix", SplitPrefix{0}, {normal({18, 33}), offsets(lengths)}));
  list.push_back(OpCase("no sequences", SplitPrefix{3}, {normal({0, 20}), offsets({})}));

  list.push_back(OpCase("whole", SegmentMean{0}, {normal({18, 20}), offsets(lengths)}));
  list.push_back(OpCase("behind the prefix", SegmentMean{1}, {normal({18, 33}), offsets(lengths)}));
  list.push_back(OpCase("some without rows", SegmentMean{3}, {normal({18, 20}), offsets({4, 2, 9, 3, 0})}));
  list.push_back(OpCase("whole", SegmentMeanBackward{0, 18}, {normal({4, 20}), offsets(lengths)}));
  list.push_back(OpCase("some without rows", SegmentMeanBackward{3, 18}, {normal({5, 20}), offsets({4, 2, 9, 3, 0})}));
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
