// SPDX-License-Identifier: Apache-2.0
//
// Moving packed tokens between attention levels (HLIP, arXiv 2505.21862). A sequence is P prefix tokens followed by its
// patch tokens. Merging joins neighbouring fine sequences into a coarse one: prefixes are averaged, patches follow one
// another. Splitting is the way back: the prefix is copied to every part. Patch tokens only move. Offsets are i32
// device tensors: fine [nf+1] and coarse [nc+1] in token rows (prefix included), parts [nc+1]: coarse sequence j is
// made of fine sequences [parts[j], parts[j+1]). Host code guarantees that lengths agree.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

enum class PrefixMerge : std::uint8_t { mean, sum };
enum class PrefixSplit : std::uint8_t { copy, share };  // share: divided by the number of parts (the adjoint of mean)

struct MergeTokens {  // (x [Tf, C], fine, coarse, parts) -> [rows, C]
  static constexpr std::string_view kName = "merge_tokens";
  std::int64_t prefix = 1;
  std::int64_t rows = 0;  // tokens of all coarse sequences
  PrefixMerge rule = PrefixMerge::mean;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 14}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const MergeTokens&) const = default;
};

struct SplitTokens {  // (x [Tc, C], fine, coarse, parts) -> [rows, C]
  static constexpr std::string_view kName = "split_tokens";
  std::int64_t prefix = 1;
  std::int64_t rows = 0;  // tokens of all fine sequences
  PrefixSplit rule = PrefixSplit::copy;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 14}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const SplitTokens&) const = default;
};

// The same prefix rows in front of every sequence: (prefix [P, C], patches [Tp, C], offsets i32 [n+1] of the result) ->
// [Tp + n·P, C].
struct JoinPrefix {
  static constexpr std::string_view kName = "join_prefix";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 4}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

// The adjoint: (x [T, C], offsets) -> (prefix [P, C] summed over sequences in order, patches [T − n·P, C]).
struct SplitPrefix {
  static constexpr std::string_view kName = "split_prefix";
  std::int64_t prefix = 1;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const SplitPrefix&) const = default;
};

// Mean of a sequence's rows behind its first `skip`: (x [T, C], offsets i32 [n+1]) -> [n, C]. A sequence without such
// rows gives 0.
struct SegmentMean {
  static constexpr std::string_view kName = "segment_mean";
  std::int64_t skip = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 2}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const SegmentMean&) const = default;
};

struct SegmentMeanBackward {  // (dy [n, C], offsets) -> dx [rows, C]
  static constexpr std::string_view kName = "segment_mean_backward";
  std::int64_t skip = 0;
  std::int64_t rows = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const SegmentMeanBackward&) const = default;
};

}  // namespace strata::ops
