// SPDX-License-Identifier: Apache-2.0
#include "parallel/ops/collectives.hpp"

#include <fmt/format.h>

#include <numeric>

#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"

namespace strata::parallel {
namespace {

using Rule = Tape::Rule;

Shape with_rows(const Shape& shape, std::int64_t rows) { return shape.with(0, rows); }
std::int64_t total(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); }

void finish(Context& ctx, const Event& event) { ctx.backend().wait(ctx.stream(), event); }

Tensor scaled(Context& ctx, const Tensor& x, double scale) {
  return scale == 1 ? x : ops::run1(ctx, ops::Scale{scale}, {x});
}

Tensor copy_of(Context& ctx, const Tensor& x) {
  Tensor copy = ctx.empty(x.dtype(), x.shape());
  ctx.backend().copy(copy.raw(), copy.device(), x.raw(), x.device(), x.bytes(), ctx.stream());
  return copy;
}

// The gradient of a step's only output; zeros where none has arrived, because the other ranks wait for ours.
Tensor gradient(Context& ctx, Inputs grads, const TensorSpec& spec) {
  return grads[0].defined() ? ops::dense(ctx, grads[0]) : ctx.zeros(spec.dtype, spec.shape);
}

Tensor reduced_everywhere(Context& ctx, Communicator& group, const Tensor& x) {
  Tensor out = ctx.empty(x.dtype(), x.shape());
  finish(ctx, group.all_reduce(x, out, comm::Reduction::sum, ctx.stream()));
  return out;
}

Tensor gathered(Context& ctx, Communicator& group, const Tensor& part, const Counts& counts) {
  const std::int64_t rows = counts.empty() ? part.dim(0) * group.size() : total(counts);
  Tensor whole = ctx.empty(part.dtype(), with_rows(part.shape(), rows));
  finish(ctx, group.all_gather(part, whole, ctx.stream(), counts));
  return whole;
}

Tensor scattered(Context& ctx, Communicator& group, const Tensor& whole, const Counts& counts) {
  const std::int64_t rows =
      counts.empty() ? whole.dim(0) / group.size() : counts.at(static_cast<std::size_t>(group.rank()));
  Tensor part = ctx.empty(whole.dtype(), with_rows(whole.shape(), rows));
  finish(ctx, group.reduce_scatter(whole, part, comm::Reduction::sum, ctx.stream(), counts));
  return part;
}

Tensor exchanged(Context& ctx, Communicator& group, const Tensor& x, const Counts& send_counts,
                 const Counts& recv_counts) {
  Tensor out = ctx.empty(x.dtype(), with_rows(x.shape(), total(recv_counts)));
  finish(ctx, group.all_to_all(x, send_counts, out, recv_counts, ctx.stream()));
  return out;
}

void check_rows(std::string_view name, const Variable& x) {
  STRATA_CHECK(x.defined() && x.shape().ndim() >= 1, usage, name,
               fmt::format("{} has no rows", x.defined() ? x.spec().str() : "an undefined value"));
}

// One input, one output; the rule gets the output's gradient, never undefined.
Variable step(Tape& tape, std::string_view name, const Variable& x, Tensor out,
              std::function<Tensor(const Tensor&)> rule) {
  Context& ctx = tape.ctx();
  const TensorSpec spec = out.spec();
  const Variable in[] = {x};
  const Rule whole = [&ctx, spec, rule = std::move(rule)](Inputs grads) {
    return std::vector<Tensor>{rule(gradient(ctx, grads, spec))};
  };
  return tape.custom(name, in, {std::move(out)}, whole, true).front();
}

}  // namespace

Variable copy_to_group(Tape& tape, Communicator& group, const Variable& x) {
  Context& ctx = tape.ctx();
  return step(tape, "copy_to_group", x, x.value(),
              [&ctx, &group](const Tensor& g) { return reduced_everywhere(ctx, group, g); });
}

Variable sum_over_group(Tape& tape, Communicator& group, const Variable& x, double scale) {
  Context& ctx = tape.ctx();
  Tensor out = scaled(ctx, reduced_everywhere(ctx, group, ops::dense(ctx, x.value())), scale);
  return step(tape, "sum_over_group", x, std::move(out),
              [&ctx, scale](const Tensor& g) { return scaled(ctx, g, scale); });
}

Variable all_reduce(Tape& tape, Communicator& group, const Variable& x, double scale) {
  Context& ctx = tape.ctx();
  const auto both = [&ctx, &group, scale](const Tensor& t) {
    return scaled(ctx, reduced_everywhere(ctx, group, t), scale);
  };
  return step(tape, "all_reduce", x, both(ops::dense(ctx, x.value())), both);
}

Variable all_gather(Tape& tape, Communicator& group, const Variable& x, Counts counts) {
  check_rows("all_gather", x);
  Context& ctx = tape.ctx();
  Tensor out = gathered(ctx, group, ops::dense(ctx, x.value()), counts);
  return step(tape, "all_gather", x, std::move(out),
              [&ctx, &group, counts = std::move(counts)](const Tensor& g) { return scattered(ctx, group, g, counts); });
}

Variable reduce_scatter(Tape& tape, Communicator& group, const Variable& x, Counts counts) {
  check_rows("reduce_scatter", x);
  Context& ctx = tape.ctx();
  Tensor out = scattered(ctx, group, ops::dense(ctx, x.value()), counts);
  return step(tape, "reduce_scatter", x, std::move(out),
              [&ctx, &group, counts = std::move(counts)](const Tensor& g) { return gathered(ctx, group, g, counts); });
}

Variable broadcast(Tape& tape, Communicator& group, const Variable& x, const TensorSpec& spec, int root) {
  const bool mine = group.rank() == root;
  STRATA_CHECK(
      !mine || (x.defined() && x.spec() == spec), usage, "broadcast",
      fmt::format("the root's value is {}, announced was {}", x.defined() ? x.spec().str() : "undefined", spec.str()));
  Context& ctx = tape.ctx();
  Tensor out = mine ? ops::dense(ctx, x.value()) : ctx.empty(spec.dtype, spec.shape);
  finish(ctx, group.broadcast(out, root, ctx.stream()));
  return step(tape, "broadcast", mine ? x : Variable(), std::move(out), [&ctx, &group, root, mine](const Tensor& g) {
    const Tensor sum = mine ? copy_of(ctx, g) : g;  // elsewhere it is only read
    finish(ctx, group.reduce(sum, root, comm::Reduction::sum, ctx.stream()));
    return mine ? sum : Tensor();
  });
}

Variable reduce(Tape& tape, Communicator& group, const Variable& x, int root, double scale) {
  const bool mine = group.rank() == root;
  Context& ctx = tape.ctx();
  Tensor value = ops::dense(ctx, x.value());
  if (mine) value = copy_of(ctx, value);
  finish(ctx, group.reduce(value, root, comm::Reduction::sum, ctx.stream()));
  const TensorSpec spec = x.spec();
  const Variable in[] = {x};
  const Rule rule = [&ctx, &group, spec, root, mine, scale](Inputs grads) {
    const Tensor g = mine ? gradient(ctx, grads, spec) : ctx.empty(spec.dtype, spec.shape);
    finish(ctx, group.broadcast(g, root, ctx.stream()));
    return std::vector<Tensor>{scaled(ctx, g, scale)};
  };
  if (mine) return tape.custom("reduce", in, {scaled(ctx, value, scale)}, rule, true).front();
  tape.custom("reduce", in, {}, rule, true);
  return {};
}

Variable all_to_all(Tape& tape, Communicator& group, const Variable& x, Counts send_counts, Counts recv_counts) {
  check_rows("all_to_all", x);
  Context& ctx = tape.ctx();
  Tensor out = exchanged(ctx, group, ops::dense(ctx, x.value()), send_counts, recv_counts);
  return step(tape, "all_to_all", x, std::move(out),
              [&ctx, &group, send_counts = std::move(send_counts), recv_counts = std::move(recv_counts)](
                  const Tensor& g) { return exchanged(ctx, group, g, recv_counts, send_counts); });
}

}  // namespace strata::parallel
