// SPDX-License-Identifier: Apache-2.0
//
// What an op is, and how one is run. An op is a small struct of parameters with
//   static constexpr std::string_view kName;
//   std::vector<TensorSpec> infer(Specs inputs) const;             the shape rule; throws for inputs it cannot take
// and, when it can be differentiated,
//   ops::Saved saves(std::uint32_t needs) const;                   which inputs and outputs the gradient rule reads
//   std::vector<Tensor> gradient(const ops::GradientArgs&) const;  one tensor an input, undefined where none is wanted
// Kernels live in backends; `run` checks, allocates, looks the kernel up and calls it. Gradient rules are written with
// other ops on plain tensors; the tape (strata/autograd) only keeps and walks them. Kernels get dense tensors, unless
// the op says `static constexpr bool kStridedInputs = true` (its documentation then says which views it takes). `static
// constexpr bool kCheap = true` marks memory-bound ops that selective checkpointing runs again instead of keeping their
// outputs. A cheap op of which only some outputs are worth that says so with
//   static constexpr std::uint32_t kRecomputed;                    bit i: output i is computed again
//   ops::Saved recompute_reads() const;                            which inputs and (kept) outputs that takes
//   std::vector<Tensor> recompute(Context&, Inputs, Inputs outputs) const;   one tensor an output, undefined where kept
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"

namespace strata::ops {

template <class Op>
concept Operation = requires(const Op& op, Specs inputs) {
  { Op::kName } -> std::convertible_to<std::string_view>;
  { op.infer(inputs) } -> std::same_as<std::vector<TensorSpec>>;
};

// Bit i stands for input (output) i.
struct Saved {
  std::uint32_t inputs = 0;
  std::uint32_t outputs = 0;
};

struct GradientArgs {
  Context& ctx;
  Specs specs;          // of all inputs
  Inputs inputs;        // undefined unless saved
  Inputs outputs;       // undefined unless saved
  Inputs grads;         // of the outputs, dense; undefined where no gradient arrives
  std::uint32_t needs;  // bit i: input i wants a gradient

  bool wants(int input) const { return (needs >> input & 1u) != 0; }
  const Tensor& grad() const { return grads[0]; }
};

template <class Op>
concept Differentiable = Operation<Op> && requires(const Op& op, const GradientArgs& args) {
  { op.saves(std::uint32_t{}) } -> std::same_as<Saved>;
  { op.gradient(args) } -> std::same_as<std::vector<Tensor>>;
};

template <class Op>
constexpr bool takes_strided() {
  if constexpr (requires { Op::kStridedInputs; }) return Op::kStridedInputs;
  return false;
}

namespace detail {
// The untyped half of `run`, compiled once.
struct OpRef {
  std::type_index type;
  std::string_view name;
  const void* value;
  bool strided;
};
std::vector<Tensor> run(Context& ctx, const OpRef& op, Inputs inputs, const std::vector<TensorSpec>& outputs);
void run_into(Context& ctx, const OpRef& op, Inputs inputs, Outputs outputs);
std::vector<TensorSpec> specs_of(Inputs tensors);
template <class Op>
OpRef ref(const Op& op) {
  return {typeid(Op), Op::kName, &op, takes_strided<Op>()};
}
}  // namespace detail

// Runs an op on new outputs. Missing kernel: environment error that names op, types and backend.
template <Operation Op>
std::vector<Tensor> run(Context& ctx, const Op& op, Inputs inputs) {
  const auto in = detail::specs_of(inputs);
  return detail::run(ctx, detail::ref(op), inputs, op.infer(in));
}
template <Operation Op>
std::vector<Tensor> run(Context& ctx, const Op& op, std::initializer_list<Tensor> inputs) {
  return run(ctx, op, Inputs(inputs.begin(), inputs.size()));
}

// The first (often only) output.
template <Operation Op>
Tensor run1(Context& ctx, const Op& op, std::initializer_list<Tensor> inputs) {
  return run(ctx, op, inputs).front();
}

// Runs an op into outputs that exist (an optimizer's state, a slice of a buffer). Outputs may be strided views only
// where the op says so, may alias inputs only where the op says so. Shapes are checked by the op's shape rule. Bumps
// the outputs' storage version.
template <Operation Op>
void run_into(Context& ctx, const Op& op, Inputs inputs, Outputs outputs) {
  const auto in = detail::specs_of(inputs);
  const auto inferred = op.infer(in);
  const auto given = detail::specs_of(outputs);
  if (inferred != given)
    fail(ErrorKind::internal, Op::kName, "outputs given to run_into do not have the inferred types and shapes");
  detail::run_into(ctx, detail::ref(op), inputs, outputs);
}
template <Operation Op>
void run_into(Context& ctx, const Op& op, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> outputs) {
  run_into(ctx, op, Inputs(inputs.begin(), inputs.size()), Outputs(outputs.begin(), outputs.size()));
}

// Helpers for shape rules. Each throws a usage error "[op] ..." with the shapes it met.
void expect_inputs(std::string_view op, Specs inputs, int least, int most);  // count; the first `least` must be defined
void expect_shape(std::string_view op, const TensorSpec& input, std::string_view what, const Shape& shape);
void expect_ndim(std::string_view op, const TensorSpec& input, std::string_view what, int ndim);
void expect_same_type(std::string_view op, const TensorSpec& a, const TensorSpec& b);
void expect_type(std::string_view op, const TensorSpec& input, std::string_view what, DType dtype);
void expect_floating(std::string_view op, const TensorSpec& input, std::string_view what);

// Input i of a rule, or an undefined spec when fewer were given.
inline TensorSpec optional_spec(Specs inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i] : TensorSpec{DType::f32, {}, false};
}
inline Tensor optional_tensor(Inputs inputs, std::size_t i) { return i < inputs.size() ? inputs[i] : Tensor(); }

// The type in which statistics and sums beside a tensor of this type are kept: f64 for f64, f32 for everything else.
inline DType accumulation_type(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

// A dense copy of a strided view, or the tensor itself when it is dense (needs the Copy kernel).
Tensor dense(Context& ctx, const Tensor& tensor);

}  // namespace strata::ops
