// SPDX-License-Identifier: Apache-2.0
//
// One case of one op, as data. A case says which op, which inputs and how exact a backend must be; from that the
// harness (checks.hpp) derives a comparison with the reference backend, a finite-difference check of the gradient rule,
// and a timing. Cases live in <op file>_cases.cpp and register themselves; they know nothing of any test framework, so
// `strata selftest` and perf/ops use the very same list.
//
//   std::vector<OpCase> cases() {
//     return {OpCase("one row", Softmax{}, {normal({1, 7})}),
//             OpCase("bf16 table", AddRows{}, {normal({5, 8}), normal({9, 8}).of(DType::bf16), integers(DType::i32,
//             {5}, {0, 8, 3, 3, 1})})};
//   }
//   const RegisterCases registered(cases);
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "strata/ops/op.hpp"

namespace strata::conformance {

// How a tensor lies in memory. Elements around it hold NaN (inputs) or are checked to stay as they were (outputs).
enum class View : std::uint8_t {
  dense,       // outputs: with untouchable elements before and behind
  misaligned,  // dense, one element behind an aligned address
  padded,      // row dense: columns [3, 3 + C) of rows that are 5 wider
  spaced,      // row dense: columns [16, 16 + C) of rows that are 32 wider, on the alignment of vectors
  transposed,  // the last two axes lie swapped: for ops that take any view
};

// An input: its shape, and how its values come about in double precision before they are rounded to the element type.
struct Input {
  Shape shape{};
  std::function<double(std::int64_t element, double normal, double uniform)>
      value{};                   // from standard normal and uniform (0, 1) draws
  std::optional<DType> dtype{};  // fixed; without, the type under test
  bool in_accumulation_type = false;
  bool given = true;           // false: an optional input that is left out
  bool differentiated = true;  // floating inputs only
  View view = View::dense;

  Input of(DType type) const;  // always this type
  Input accumulation() const;  // the accumulation type of the type under test
  Input as(View layout) const;
  Input constant() const;  // the op has no gradient for it
  DType type(DType tested) const;
  bool wants_gradient() const { return given && differentiated && is_floating(type(DType::f64)); }
};

Input normal(Shape shape, double deviation = 1, double mean = 0);
Input uniform(Shape shape, double low, double high);
Input values(Shape shape, std::vector<double> given);
Input integers(DType type, Shape shape, std::vector<std::int64_t> given);
Input integers_below(DType type, Shape shape, std::int64_t bound);  // uniform in [0, bound)
Input none();

// Largest errors allowed, relative: |a − b| over all elements as a Euclidean norm, and of any one element as part of
// the largest |b|.
struct Tolerance {
  double norm = 0;
  double largest = 0;
};
struct Tolerances {
  Tolerance f32{2e-6, 1e-5};
  Tolerance bf16{6e-3, 1e-2};  // half a unit in the last place is 2^-9
  Tolerance f64{1e-13, 1e-12};
  Tolerance of(DType dtype) const;
  Tolerances times(double factor) const;
};

// An op of any type, as the harness calls it.
struct AnyOp {
  std::string name;
  std::function<std::vector<TensorSpec>(Specs)> infer;
  std::function<void(Context&, Inputs, Outputs)> run_into;
  std::function<const KernelTable::Entry*(const KernelTable&, Specs)> find;
  std::function<ops::Saved(std::uint32_t)> saves;  // empty: the op has no gradient rule
  std::function<std::vector<Tensor>(const ops::GradientArgs&)> gradient;

  template <ops::Operation Op>
  static AnyOp from(const Op& op);
};

class OpCase {
 public:
  template <ops::Operation Op>
  OpCase(std::string text, const Op& value, std::vector<Input> given)
      : OpCase(
            std::move(text), [any = AnyOp::from(value)](DType) { return any; }, std::move(given)) {}
  // For ops that name an element type among their parameters.
  OpCase(std::string text, std::function<AnyOp(DType tested)> maker, std::vector<Input> given);

  // Each returns the changed case.
  OpCase types(std::vector<DType> list) const;  // types under test; f32, bf16, f64 unless said
  OpCase allow(Tolerances tolerances) const;    // of outputs
  OpCase allow_gradient(
      Tolerances tolerances) const;  // of the gradient rule run on a backend in that type; default: 4 × outputs
  OpCase no_gradient(std::string reason) const;          // for ops that have a gradient rule, but not for this case
  OpCase gradient_outputs(std::vector<int> list) const;  // outputs that pass gradients on; {0} unless said
  OpCase prepare(std::function<void(Context&, std::vector<Tensor>&)> fill)
      const;                                        // computes some inputs (f64, reference) from the others
  OpCase in_place(std::vector<int> list) const;     // output i is written over input list[i]; -1: an own tensor
  OpCase outputs_as(std::vector<View> list) const;  // for ops that write strided views
  OpCase same_type_oracle() const;  // compare with the reference in the same type, not in f64 on the rounded inputs
  OpCase timed(double bytes,
               double flops) const;  // for timing alone (too large to compare): bytes moved at least, and arithmetic

  // "softmax: one row"
  std::string name() const { return op_name + ": " + label; }
  bool has_gradient() const;  // a rule, and an input to differentiate
  bool only_timed() const { return timed_bytes > 0; }

  std::string op_name, label;
  std::function<AnyOp(DType)> op;
  std::vector<Input> inputs;
  std::vector<DType> dtypes{DType::f32, DType::bf16, DType::f64};
  Tolerances tolerance;
  Tolerances gradient_tolerance = Tolerances{}.times(4);
  std::string without_gradient;  // why
  std::vector<int> passing{0};
  std::function<void(Context&, std::vector<Tensor>&)> fill;
  std::vector<int> aliases;
  std::vector<View> output_views;
  bool oracle_in_f64 = true;
  double timed_bytes = 0, timed_flops = 0;
};

using CaseMaker = std::vector<OpCase> (*)();
struct RegisterCases {
  explicit RegisterCases(CaseMaker maker);
};

// All registered cases, by op and then in the order of their file.
std::vector<OpCase> all_cases();

template <ops::Operation Op>
AnyOp AnyOp::from(const Op& op) {
  AnyOp any;
  any.name = std::string(Op::kName);
  any.infer = [op](Specs specs) { return op.infer(specs); };
  any.run_into = [op](Context& ctx, Inputs in, Outputs out) { ops::run_into(ctx, op, in, out); };
  any.find = [op](const KernelTable& table, Specs specs) { return table.find(op, specs); };
  if constexpr (ops::Differentiable<Op>) {
    any.saves = [op](std::uint32_t needs) { return op.saves(needs); };
    any.gradient = [op](const ops::GradientArgs& args) { return op.gradient(args); };
  }
  return any;
}

}  // namespace strata::conformance
