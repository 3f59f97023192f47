// SPDX-License-Identifier: Apache-2.0
#include "app/bench_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "app/bench_ceiling.hpp"
#include "strata/ops/attention.hpp"
#include "strata/ops/matmul.hpp"

namespace strata::app {
namespace {

constexpr double kRound = 5e-4;  // seconds that a call is repeated for on a device: a step has hundreds

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

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

bool is_product(const std::string& op) {
  return op == "matmul" || op == "linear" || op == "gelu_linear_backward" || op == "linear_parameters_backward";
}
bool is_attention(const std::string& op) { return op == "attention" || op == "attention_backward"; }

double flops_of(const std::string& op, Inputs in, Outputs out, const Context& ctx) {
  if (is_product(op)) return 2 * static_cast<double>(in[0].numel()) * static_cast<double>(out[0].dim(-1));
  if (is_attention(op)) {
    const double forward = 4 * pairs_of(ctx, in[3], in[4]) * static_cast<double>(in[0].dim(-1));
    return op == "attention" ? forward : 2 * forward;
  }
  return 0;
}

bool has_gelu(const std::string& op, const void* value) {
  return op == "gelu_linear_backward" || (op == "linear" && static_cast<const ops::Linear*>(value)->gelu);
}

// GELU alone reads x and writes gelu(x); its backward reads x and a gradient and writes one.
double gelu_bytes_of(const std::string& op, const void* value, Inputs in) {
  if (!has_gelu(op, value)) return 0;
  return op == "linear" ? 2 * static_cast<double>(in[0].bytes()) : 3 * static_cast<double>(in[2].bytes());
}

// All that the time of a product or of attention depends on.
std::string key_of(const std::string& op, const void* value, Inputs in, Outputs out) {
  std::string key = op;
  if (op == "matmul") {
    const auto& matmul = *static_cast<const ops::Matmul*>(value);
    key += fmt::format(" {}{}{}", matmul.transpose_a, matmul.transpose_b, matmul.wide);
  }
  for (const auto tensors : {in, Inputs(out)})
    for (const auto& tensor : tensors) key += tensor.defined() ? " " + tensor.spec().str() : std::string(" -");
  return key;
}

}  // namespace

Profile::Profile(Context plain, ProfileRows rows, bool alone)
    : plain_(std::move(plain)), rows_by_(rows), alone_(alone) {}

// GELU and column sums within a product are left out: what a library's product of these sizes takes is what is asked.
double Profile::alone_seconds(const Call& call) {
  const auto& [entry, op, in, out] = call;
  const auto run = [&](const auto& plain_op, Inputs inputs, Outputs outputs) {
    std::vector<TensorSpec> specs;
    for (const auto& tensor : inputs)
      specs.push_back(tensor.defined() ? tensor.spec() : TensorSpec{DType::f32, {}, false});
    const auto* kernel = plain_.kernels().find(plain_op, specs);
    STRATA_CHECK(kernel != nullptr, internal, "profile", fmt::format("no kernel for the plain {}", entry.op));
    return seconds_alone(plain_, [&] { kernel->run(&plain_op, inputs, outputs, plain_); });
  };
  if (entry.op == "linear" && has_gelu(entry.op, op)) return run(ops::Linear{}, in, out);
  if (entry.op == "gelu_linear_backward") return run(ops::Matmul{.weight = true}, in.first(2), out.first(1));
  if (entry.op == "linear_parameters_backward")
    return run(ops::Matmul{.transpose_a = true, .wide = true}, in, out.first(1));
  return seconds_alone(plain_, [&] { entry.run(op, in, out, plain_); });
}

KernelTable::Run Profile::wrap(const KernelTable::Entry& entry) {
  return [this, &entry](const void* op, Inputs in, Outputs out, Context& ctx) {
    const Call call{entry, op, in, out};
    const auto begin = Clock::now();
    double alone = 0;
    if (alone_ && (is_product(entry.op) || is_attention(entry.op))) {
      const auto [at, is_new] = known_.try_emplace(key_of(entry.op, op, in, out));
      if (is_new) at->second = alone_seconds(call);
      alone = at->second;
    }
    double seconds = 0;
    const auto once = [&] { entry.run(op, in, out, ctx); };
    if (ctx.backend().device().kind == DeviceKind::host) {
      const auto start = Clock::now();
      once();
      seconds = since(start);
    } else {
      seconds = seconds_alone(ctx, once, kRound);
    }
    add(call, seconds, alone);
    overhead_ += since(begin) - seconds;
  };
}

void Profile::add(const Call& call, double seconds, double alone) {
  const auto& [entry, op, in, out] = call;
  const std::string shapes = rows_by_ == ProfileRows::by_shape ? shapes_of(in) : std::string();
  Row& row = rows_[entry.op + '\n' + entry.kernel + '\n' + shapes];
  row.op = entry.op;
  row.kernel = entry.kernel;
  row.shapes = shapes;
  ++row.calls;
  row.seconds += seconds;
  row.alone += alone;
  row.bytes += bytes_of(in) + bytes_of(out);
  row.gelu_bytes += gelu_bytes_of(entry.op, op, in);
  row.flops += flops_of(entry.op, in, out, plain_);
}

std::vector<Profile::Row> Profile::rows() const {
  std::vector<Row> all;
  for (const auto& [key, row] : rows_) all.push_back(row);
  std::ranges::sort(all, std::ranges::greater{}, &Row::seconds);
  return all;
}

}  // namespace strata::app
