// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/index.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata::cpu {
namespace {

std::vector<std::int64_t> load_integers(const Tensor& tensor) {
  const auto n = tensor.numel();
  if (tensor.dtype() == DType::i64) return {tensor.data<std::int64_t>(), tensor.data<std::int64_t>() + n};
  return {tensor.data<std::int32_t>(), tensor.data<std::int32_t>() + n};
}

}  // namespace

std::vector<std::int64_t> load_index(std::string_view op, const Tensor& index, std::int64_t rows,
                                     std::string_view what) {
  auto values = load_integers(index);
  for (std::size_t i = 0; i < values.size(); ++i)
    STRATA_CHECK(values[i] >= 0 && values[i] < rows, data, op,
                 fmt::format("{}[{}] = {} is outside the {} rows it points into", what, i, values[i], rows));
  return values;
}

std::vector<std::int64_t> load_offsets(std::string_view op, const Tensor& offsets, std::int64_t rows) {
  auto values = load_integers(offsets);
  STRATA_CHECK(!values.empty() && values.front() == 0 && values.back() == rows && std::ranges::is_sorted(values),
               internal, op, fmt::format("offsets must rise from 0 to the {} rows", rows));
  return values;
}

}  // namespace strata::cpu
