// SPDX-License-Identifier: Apache-2.0
//
// Rows by index: embedding lookup, picking tokens, adding table rows. Indexes are i32 or i64; one outside the table:
// data error with its place. Gradients into a table sum repeated rows in the order of the index, whatever the number of
// threads.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct GatherRows {  // (table [V, C], index [n]) -> [n, C]
  static constexpr std::string_view kName = "gather_rows";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 2}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

struct ScatterAddRows {  // (x [n, C], index [n]) -> [rows, C], zero where nothing arrives
  static constexpr std::string_view kName = "scatter_add_rows";
  std::int64_t rows = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 2}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const ScatterAddRows&) const = default;
};

struct AddRows {  // (x [n, C], table [V, C], index [n]) -> x + table[index]; the table may have another floating type
  static constexpr std::string_view kName = "add_rows";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

}  // namespace strata::ops
