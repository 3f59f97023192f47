// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tests/conformance/drawn.hpp"

namespace strata::conformance {
namespace {

using Numbers = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kAround = 77;  // exact in every element type
constexpr double kStep = 1e-3, kDifferenceTolerance = 1e-6;
constexpr double kGradientFloor =
    1e-2;  // cotangents are of size one: a gradient far below this is zero, and its rounding errors do not count

struct Errors {
  double norm = 0, largest = 0;  // relative
  std::size_t worst = 0;
  bool finite_alike = true;  // NaN and infinities at the same places
};

bool same_special(double a, double b) { return std::isnan(b) ? std::isnan(a) : a == b; }

Errors errors_of(const Numbers& got, const Numbers& expected, double floor) {
  double difference = 0, norm = 0, largest_difference = 0, largest = 0;
  Errors errors;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(expected[i]) || !std::isfinite(got[i])) {
      if (!same_special(got[i], expected[i]) && errors.finite_alike) errors = {.worst = i, .finite_alike = false};
      continue;
    }
    const double d = std::fabs(got[i] - expected[i]);
    difference += d * d;
    norm += expected[i] * expected[i];
    largest = std::max(largest, std::fabs(expected[i]));
    if (d > largest_difference && errors.finite_alike) errors.worst = i;
    largest_difference = std::max(largest_difference, d);
  }
  const auto relative = [](double d, double scale) {
    return d == 0 ? 0 : d / scale;
  };  // an expected zero must be met exactly
  errors.norm = relative(std::sqrt(difference), std::max(std::sqrt(norm), floor));
  errors.largest = relative(largest_difference, std::max(largest, floor));
  return errors;
}

void judge(Outcome& outcome, std::string_view what, const Numbers& got, const Numbers& expected, Tolerance allowed,
           double floor = 0) {
  if (got.size() != expected.size()) {
    outcome.passed = false;
    outcome.text += fmt::format("  {}: {} elements, expected {}\n", what, got.size(), expected.size());
    return;
  }
  const Errors errors = errors_of(got, expected, floor);
  const bool good = errors.finite_alike && errors.norm <= allowed.norm && errors.largest <= allowed.largest;
  outcome.passed &= good;
  outcome.text += fmt::format("  {}: error {:.1e} (allowed {:.1e}), largest {:.1e} (allowed {:.1e})", what, errors.norm,
                              allowed.norm, errors.largest, allowed.largest);
  if (!good)
    outcome.text += fmt::format("  <- element {} is {:.9g}, expected {:.9g}", errors.worst, got[errors.worst],
                                expected[errors.worst]);
  outcome.text += '\n';
}

void note(Outcome& outcome, bool good, std::string text) {
  outcome.passed &= good;
  if (!good) outcome.text += "  " + text + '\n';
}

// Values of every input in double precision, after `prepare`.
std::vector<Numbers> draw_all(const OpCase& c, Context& reference, std::uint64_t seed) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Input& input = c.inputs[i];
    tensors.push_back(
        input.given ? make_tensor(reference, draw(c, i, seed), {input.type(DType::f64), input.shape}, View::dense, kNaN)
                    : Tensor());
  }
  if (c.fill) c.fill(reference, tensors);
  std::vector<Numbers> all;
  for (const auto& tensor : tensors) all.push_back(tensor.defined() ? read(reference, tensor) : Numbers());
  return all;
}

std::vector<Tensor> place(const OpCase& c, const std::vector<Numbers>& numbers, DType dtype, const Context& ctx) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Input& input = c.inputs[i];
    tensors.push_back(input.given ? make_tensor(ctx, numbers[i], {input.type(dtype), input.shape}, input.view, kNaN)
                                  : Tensor());
  }
  return tensors;
}

std::vector<Numbers> read_all(const Context& ctx, Inputs tensors) {
  std::vector<Numbers> all;
  for (const auto& tensor : tensors) all.push_back(tensor.defined() ? read(ctx, tensor) : Numbers());
  return all;
}

bool alike(const std::vector<Numbers>& a, const std::vector<Numbers>& b) {
  return std::ranges::equal(a, b,
                            [](const Numbers& x, const Numbers& y) { return std::ranges::equal(x, y, same_special); });
}

DType coarser(DType a, DType b) {
  if (a == DType::bf16 || b == DType::bf16) return DType::bf16;
  return a == DType::f32 || b == DType::f32 ? DType::f32 : DType::f64;
}

Tolerance allowed_for(const Tolerances& tolerances, DType dtype) {
  return is_floating(dtype) ? tolerances.of(dtype) : Tolerance{};
}

std::uint32_t differentiated(const OpCase& c) {
  std::uint32_t needs = 0;
  for (std::size_t i = 0; i < c.inputs.size(); ++i)
    if (c.inputs[i].wants_gradient()) needs |= 1u << i;
  return needs;
}

bool passes(const OpCase& c, std::size_t output) {
  return std::ranges::find(c.passing, static_cast<int>(output)) != c.passing.end();
}

std::vector<Tensor> run_plain(const AnyOp& op, Context& ctx, Inputs inputs) {
  std::vector<Tensor> outputs;
  for (const auto& spec : op.infer(ops::detail::specs_of(inputs)))
    outputs.push_back(spec.defined ? ctx.empty(spec.dtype, spec.shape) : Tensor());
  op.run_into(ctx, inputs, outputs);
  return outputs;
}

// Cotangents of the outputs that pass gradients on.
std::vector<Tensor> make_cotangents(const OpCase& c, Context& ctx, Inputs outputs, std::uint64_t seed) {
  std::vector<Tensor> grads(outputs.size());
  for (std::size_t o = 0; o < outputs.size(); ++o)
    if (passes(c, o))
      grads[o] = make_tensor(ctx, draw_normal(fmt::format("{} cotangent {}", c.name(), o), outputs[o].numel(), seed),
                             outputs[o].spec(), View::dense, kNaN);
  return grads;
}

std::vector<Tensor> apply_rule(const AnyOp& op, Context& ctx, Inputs inputs, Inputs outputs, Inputs grads,
                               std::uint32_t needs) {
  const ops::Saved saved = op.saves(needs);
  std::vector<Tensor> kept_inputs(inputs.size()), kept_outputs(outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (saved.inputs >> i & 1u) kept_inputs[i] = inputs[i];
  for (std::size_t o = 0; o < outputs.size(); ++o)
    if (saved.outputs >> o & 1u) kept_outputs[o] = outputs[o];
  const auto specs = ops::detail::specs_of(inputs);
  return op.gradient({ctx, specs, kept_inputs, kept_outputs, grads, needs});
}

// A gradient may be wider than its input: sums over many rows keep the accumulation type.
bool has_form_of(const TensorSpec& gradient, const TensorSpec& input) {
  return gradient == input || gradient == TensorSpec{ops::accumulation_type(input.dtype), input.shape};
}

void check_form(Outcome& outcome, Inputs inputs, Inputs gradients, std::uint32_t needs) {
  note(outcome, gradients.size() == inputs.size(),
       fmt::format("the gradient rule gives {} tensors for {} inputs", gradients.size(), inputs.size()));
  for (std::size_t i = 0; i < std::min(inputs.size(), gradients.size()); ++i)
    if (needs >> i & 1u)
      note(outcome, has_form_of(gradients[i].spec(), inputs[i].spec()),
           fmt::format("the gradient of input {} is {}, the input {}", i, gradients[i].spec().str(),
                       inputs[i].spec().str()));
}

// sum(output · cotangent) over the outputs that pass gradients on.
double loss(const AnyOp& op, Context& ctx, Inputs inputs, Inputs cotangents) {
  const auto outputs = run_plain(op, ctx, inputs);
  double sum = 0;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (!cotangents[o].defined()) continue;
    const Numbers y = read(ctx, outputs[o]), r = read(ctx, cotangents[o]);
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * r[i];
  }
  return sum;
}

// `element` of a storage of doubles on any device.
void put(Context& ctx, const Tensor& elements, std::int64_t element, double value) {
  ctx.backend().copy(elements.slice(0, element, element + 1).raw(), ctx.backend().device(), &value,
                     Device{DeviceKind::host, 0}, sizeof(value), ctx.stream());
  ctx.synchronise();
}

double difference(const AnyOp& op, Context& ctx, Inputs inputs, Inputs cotangents, const Tensor& elements,
                  std::int64_t element) {
  const double x = ctx.item(elements.slice(0, element, element + 1));
  std::array<double, 4> f{};
  const std::array<double, 4> at{-2 * kStep, -kStep, kStep, 2 * kStep};
  for (std::size_t i = 0; i < at.size(); ++i) {
    put(ctx, elements, element, x + at[i]);
    f[i] = loss(op, ctx, inputs, cotangents);
  }
  put(ctx, elements, element, x);
  return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * kStep);
}

}  // namespace

std::vector<TensorSpec> input_specs(const OpCase& c, DType dtype) {
  std::vector<TensorSpec> specs;
  for (const auto& input : c.inputs)
    specs.push_back(input.given ? TensorSpec{input.type(dtype), input.shape} : Tensor().spec());
  return specs;
}

const KernelTable::Entry* kernel_of(const OpCase& c, DType dtype, const KernelTable& table) {
  const AnyOp op = c.op(dtype);
  const auto specs = input_specs(c, dtype);
  return op.find(table, specs.empty() ? op.infer(specs) : specs);
}

bool has_own_kernel(const OpCase& c, DType dtype, const KernelTable& table) {
  const auto* entry = kernel_of(c, dtype, table);
  const auto own = table.entries();
  return entry != nullptr && std::ranges::find(own, entry) != own.end();
}

std::vector<Tensor> make_inputs(const OpCase& c, DType dtype, Context& ctx, Context& reference, std::uint64_t seed) {
  return place(c, draw_all(c, reference, seed), dtype, ctx);
}

std::vector<Tensor> make_outputs(const OpCase& c, const AnyOp& op, Context& ctx, Inputs inputs) {
  const auto specs = op.infer(ops::detail::specs_of(inputs));
  std::vector<Tensor> outputs;
  for (std::size_t o = 0; o < specs.size(); ++o) {
    const View view = o < c.output_views.size() ? c.output_views[o] : View::dense;
    const bool aliased = o < c.aliases.size() && c.aliases[o] >= 0;
    if (!specs[o].defined)
      outputs.emplace_back();
    else if (aliased)
      outputs.push_back(inputs[static_cast<std::size_t>(c.aliases[o])]);
    else
      outputs.push_back(
          make_tensor(ctx, Numbers(static_cast<std::size_t>(specs[o].shape.numel()), kNaN), specs[o], view, kAround));
  }
  return outputs;
}

Outcome compare_outputs(const OpCase& c, DType dtype, Context& tested, Context& reference, std::uint64_t seed) {
  Outcome outcome;
  const auto drawn = draw_all(c, reference, seed);
  const AnyOp op = c.op(dtype);
  std::vector<Numbers> results[2], rounded;
  std::vector<Tensor> outputs;
  for (auto& result : results) {
    const auto inputs = place(c, drawn, dtype, tested);
    rounded = read_all(tested, inputs);
    outputs = make_outputs(c, op, tested, inputs);
    op.run_into(tested, inputs, outputs);
    result = read_all(tested, outputs);
  }
  note(outcome, alike(results[0], results[1]), "a second run gave other values");

  const DType oracle_type = c.oracle_in_f64 ? DType::f64 : dtype;
  const AnyOp oracle = c.op(oracle_type);
  const auto oracle_inputs = place(c, rounded, oracle_type, reference);
  const auto expected = read_all(reference, run_plain(oracle, reference, oracle_inputs));
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (!outputs[o].defined()) continue;
    judge(outcome, fmt::format("output {}", o), results[0][o], expected[o],
          allowed_for(c.tolerance, outputs[o].dtype()));
    if (o < c.aliases.size() && c.aliases[o] >= 0) continue;
    const auto touched = count_touched(tested, outputs[o], kAround);
    note(outcome, touched == 0, fmt::format("{} elements outside output {} were written", touched, o));
  }
  return outcome;
}

Outcome compare_gradients(const OpCase& c, DType dtype, Context& tested, Context& reference, std::uint64_t seed) {
  Outcome outcome;
  const std::uint32_t needs = differentiated(c);
  const AnyOp op = c.op(dtype);
  const auto inputs = place(c, draw_all(c, reference, seed), dtype, tested);
  const auto outputs = run_plain(op, tested, inputs);
  const auto cotangents = make_cotangents(c, tested, outputs, seed);
  const auto got = apply_rule(op, tested, inputs, outputs, cotangents, needs);
  check_form(outcome, inputs, got, needs);

  const DType oracle_type = c.oracle_in_f64 ? DType::f64 : dtype;
  const AnyOp oracle = c.op(oracle_type);
  const auto oracle_inputs = place(c, read_all(tested, inputs), oracle_type, reference);
  const auto oracle_outputs = run_plain(oracle, reference, oracle_inputs);
  std::vector<Tensor> oracle_cotangents(cotangents.size());
  for (std::size_t o = 0; o < cotangents.size(); ++o)
    if (cotangents[o].defined())
      oracle_cotangents[o] =
          make_tensor(reference, read(tested, cotangents[o]), oracle_outputs[o].spec(), View::dense, kNaN);
  const auto expected = apply_rule(oracle, reference, oracle_inputs, oracle_outputs, oracle_cotangents, needs);

  for (std::size_t i = 0; i < inputs.size() && outcome.passed; ++i)
    if (needs >> i & 1u)
      judge(outcome, fmt::format("gradient of input {}", i), read(tested, got[i]), read(reference, expected[i]),
            c.gradient_tolerance.of(coarser(dtype, inputs[i].dtype())), kGradientFloor);
  return outcome;
}

Outcome check_gradient(const OpCase& c, Context& tested, Context& reference, std::uint64_t seed, int samples) {
  Outcome outcome;
  const std::uint32_t needs = differentiated(c);
  const AnyOp op = c.op(DType::f64);
  const auto inputs = place(c, draw_all(c, reference, seed), DType::f64, tested);
  const auto outputs = run_plain(op, tested, inputs);
  const auto cotangents = make_cotangents(c, tested, outputs, seed);
  const auto all = apply_rule(op, tested, inputs, outputs, cotangents, needs);
  check_form(outcome, inputs, all, needs);
  const bool outputs_in_f64 =
      std::ranges::all_of(cotangents, [](const Tensor& t) { return !t.defined() || t.dtype() == DType::f64; });

  for (std::size_t i = 0; i < inputs.size() && outcome.passed; ++i) {
    if (!(needs >> i & 1u)) continue;
    const Numbers rule = read(tested, all[i]);
    const auto alone = apply_rule(op, tested, inputs, outputs, cotangents, 1u << i);
    note(outcome, alone[i].defined(), fmt::format("asked for alone, the gradient of input {} is missing", i));
    if (alone[i].defined())
      judge(outcome, fmt::format("gradient of input {}, asked for alone", i), read(tested, alone[i]), rule,
            {1e-12, 1e-12}, kGradientFloor);
    if (inputs[i].dtype() != DType::f64 || !outputs_in_f64) continue;  // rounding steps, which differences would show

    const auto count = static_cast<std::size_t>(inputs[i].numel());
    const std::size_t stride = std::max<std::size_t>(1, count / static_cast<std::size_t>(samples));
    const Tensor elements(inputs[i].storage(), DType::f64,
                          {static_cast<std::int64_t>(inputs[i].storage()->bytes() / sizeof(double))});
    double largest = kGradientFloor;
    for (const double g : rule) largest = std::max(largest, std::fabs(g));
    Numbers expected, got;
    for (std::size_t e = stride / 2; e < count; e += stride) {
      const auto offset = offset_of(inputs[i], static_cast<std::int64_t>(e));
      expected.push_back(difference(op, tested, inputs, cotangents, elements, offset));
      got.push_back(rule[e]);
    }
    judge(outcome, fmt::format("gradient of input {} at {} elements, against differences", i, got.size()), got,
          expected, {kDifferenceTolerance, kDifferenceTolerance}, largest);
  }
  return outcome;
}

}  // namespace strata::conformance
