// SPDX-License-Identifier: Apache-2.0
#include "app/bench_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "strata/runtime/context.hpp"

namespace strata::app {
namespace {

std::string shapes_of(Inputs inputs) {
  constexpr std::size_t kShown = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, inputs.size()); ++i)
    if (inputs[i].defined()) text += (text.empty() ? "" : " ") + inputs[i].spec().str();
  return inputs.size() > kShown ? text + " ..." : text;
}

double bytes_of(std::span<const Tensor> tensors) {
  double sum = 0;
  for (const auto& tensor : tensors)
    if (tensor.defined()) sum += static_cast<double>(tensor.bytes());
  return sum;
}

// Pairs of a query and a key that see each other.
double pairs_of(const Context& ctx, const Tensor& q_offsets, const Tensor& k_offsets) {
  const auto q = ctx.to_host<std::int32_t>(q_offsets), k = ctx.to_host<std::int32_t>(k_offsets);
  double sum = 0;
  for (std::size_t s = 0; s + 1 < q.size(); ++s)
    sum += static_cast<double>(q[s + 1] - q[s]) * static_cast<double>(k[s + 1] - k[s]);
  return sum;
}

double flops_of(const std::string& op, Inputs in, Outputs out, const Context& ctx) {
  if (op == "matmul" || op == "linear" || op == "gelu_linear_backward")
    return 2 * static_cast<double>(in[0].numel()) * static_cast<double>(out[0].dim(-1));
  if (op == "attention" || op == "attention_backward") {
    const double forward = 4 * pairs_of(ctx, in[3], in[4]) * static_cast<double>(in[0].dim(-1));
    return op == "attention" ? forward : 2 * forward;
  }
  return 0;
}

}  // namespace

KernelTable::Run Profile::wrap(const KernelTable::Entry& entry) {
  return [this, &entry](const void* op, Inputs in, Outputs out, Context& ctx) {
    ctx.synchronise();
    const auto begin = std::chrono::steady_clock::now();
    entry.run(op, in, out, ctx);
    ctx.synchronise();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const std::string shapes = rows_by_ == ProfileRows::by_shape ? shapes_of(in) : std::string();
    Row& row = rows_[entry.op + '\n' + entry.kernel + '\n' + shapes];
    row.op = entry.op;
    row.kernel = entry.kernel;
    row.shapes = shapes;
    ++row.calls;
    row.seconds += seconds;
    row.bytes += bytes_of(in) + bytes_of(out);
    row.flops += flops_of(entry.op, in, out, ctx);
  };
}

std::vector<Profile::Row> Profile::rows() const {
  std::vector<Row> all;
  for (const auto& [key, row] : rows_) all.push_back(row);
  std::ranges::sort(all, std::ranges::greater{}, &Row::seconds);
  return all;
}

}  // namespace strata::app
