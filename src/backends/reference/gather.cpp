// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gather.hpp"

#include <fmt/format.h>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"
#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

std::vector<std::int64_t> load_index(std::string_view op, const Tensor& index, std::int64_t rows) {
  auto values = load_integers(index);
  for (std::size_t i = 0; i < values.size(); ++i)
    STRATA_CHECK(values[i] >= 0 && values[i] < rows, data, op,
                 fmt::format("index[{}] = {} is outside the table of {} rows", i, values[i], rows));
  return values;
}

void gather_rows(const ops::GatherRows& op, Inputs in, Outputs out, Context&) {
  const Values table = load(in[0]);
  const std::int64_t width = in[0].dim(1);
  Values y;
  for (const auto row : load_index(op.kName, in[1], in[0].dim(0)))
    y.insert(y.end(), table.begin() + row * width, table.begin() + (row + 1) * width);
  store(out[0], y);
}

void scatter_add_rows(const ops::ScatterAddRows& op, Inputs in, Outputs out, Context&) {
  const Values x = load(in[0]);
  const std::int64_t width = in[0].dim(1);
  Values y(at(out[0].numel()), 0.0);
  auto element = x.begin();
  for (const auto row : load_index(op.kName, in[1], op.rows))
    for (std::int64_t c = 0; c < width; ++c) y[at(row * width + c)] += *element++;
  store(out[0], y);
}

void add_rows(const ops::AddRows& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  const Values table = load(in[1]);
  const std::int64_t width = in[0].dim(1);
  auto element = x.begin();
  for (const auto row : load_index(op.kName, in[2], in[1].dim(0)))
    for (std::int64_t c = 0; c < width; ++c) *element++ += table[at(row * width + c)];
  store(out[0], x);
}

}  // namespace

void register_gather(KernelTable& table) {
  table.add<ops::GatherRows>("reference", gather_rows, first_floating);
  table.add<ops::ScatterAddRows>("reference", scatter_add_rows, first_floating);
  table.add<ops::AddRows>("reference", add_rows, first_floating);
}

}  // namespace strata::reference
