// SPDX-License-Identifier: Apache-2.0
//
// Reverse-mode differentiation. A tape records ops as they run and walks them back once; each recorded step is freed as
// soon as its gradient rule has run, and intermediate values are kept only where a rule reads them. One tape a forward
// pass; not thread-safe (one tape a rank).
//
// Checkpointing trades memory for recomputation; the numbers are identical in every mode:
//   none       everything that a gradient rule reads is kept
//   selective  large outputs of cheap, memory-bound ops (`kCheap`: layer norm, GELU, dropout, patch unfold) are
//   computed
//              again in backward, each op once for a rule that reads any of them; small ones (statistics) are kept
//   full       regions given to `checkpoint` keep their inputs alone and run again in backward
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "strata/autograd/variable.hpp"
#include "strata/ops/op.hpp"

namespace strata::autograd {

enum class Checkpointing : std::uint8_t { none, selective, full };

struct Mode {
  bool record = true;    // false: forward only, nothing is kept
  bool training = true;  // random parts (dropout, drop path, patch dropout, drawn positions) are on
  Checkpointing checkpointing = Checkpointing::none;
  std::uint64_t seed = 0;  // of every random number drawn on this tape
};

class Tape {
 public:
  using Variables = std::vector<Variable>;
  using Span = std::span<const Variable>;
  // Gradients of the outputs (undefined where none arrives) -> gradients of the inputs (undefined where none is
  // wanted).
  using Rule = std::function<std::vector<Tensor>(Inputs grads)>;
  using Region = std::function<Variables(Tape&, Span inputs)>;

  // Works where `ctx` works; what it allocates is counted as activations, in backward as work.
  Tape(const Context& ctx, Mode mode);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Context& ctx() const { return ctx_; }
  const Mode& mode() const { return mode_; }
  bool training() const { return mode_.training; }
  std::size_t size() const;  // recorded steps

  // Values enter: without gradient; with a gradient that can be asked for after backward; as a handle to a trainable
  // tensor.
  Variable constant(Tensor value) const;
  Variable input(Tensor value);
  Variable leaf(const std::shared_ptr<Leaf>& leaf);

  // Runs an op and records it. An op without gradient rule needs inputs without gradient (internal error otherwise).
  template <ops::Operation Op>
  Variables apply(const Op& op, Span inputs);
  template <ops::Operation Op>
  Variables apply(const Op& op, std::initializer_list<Variable> inputs) {
    return apply(op, Span(inputs.begin(), inputs.size()));
  }
  template <ops::Operation Op>
  Variable apply1(const Op& op, std::initializer_list<Variable> inputs) {
    return apply(op, inputs).front();
  }

  Variable cast(const Variable& x, DType to);  // x itself when it has the type
  // Views, differentiable, without a copy.
  Variable reshape(const Variable& x, const Shape& shape);
  Variables columns(const Variable& x, const std::vector<std::int64_t>& widths);  // blocks of the last axis
  Variable detach(const Variable& x) const { return constant(x.value()); }

  // A function with its own rule (collectives). `always` runs the rule although no gradient arrives: what other ranks
  // wait for must be issued.
  Variables custom(std::string_view name, Span inputs, std::vector<Tensor> outputs, Rule rule, bool always = false);

  // Runs `region` as one step that keeps only its inputs, when the mode is full; plainly otherwise. The region must be
  // a pure function of its inputs, leaves and the mode (it runs again in backward), and draws its random numbers by
  // counter.
  Variables checkpoint(std::string_view name, Span inputs, const Region& region);

  // Calls back when backward passes this point (all that was recorded later is done).
  void mark(std::function<void()> passed);

  // Walks back from the roots with the gradients given (an undefined one: ones). `model_order` lists trainable leaves
  // whose gradient-ready callbacks fire, each once: in the reverse of this order on every rank, each after its last
  // use; a leaf that was not used gets zeros. The tape is empty afterwards and its values cannot be
  // used again: give all roots to one call. An error from a rule or a callback empties the tape too; gradients of
  // leaves are then incomplete. Gradients of `input`s: grad_of.
  struct Root {
    Variable variable;
    Tensor gradient;
  };
  void backward(std::span<const Root> roots, std::span<const std::shared_ptr<Leaf>> model_order = {});
  void backward(const Variable& root, std::span<const std::shared_ptr<Leaf>> model_order = {});
  Tensor grad_of(const Variable& input) const;  // undefined when no gradient arrived

 private:
  struct Node;
  class ReadyQueue;
  using GradientRule = std::function<std::vector<Tensor>(const ops::GradientArgs&)>;

  detail::Saved save(const Variable& variable) const;
  std::vector<detail::Saved> save(Span variables, std::uint32_t which) const;  // bit i: variable i; others are empty
  Variables wrap(std::vector<Tensor> outputs) const;
  void record_op(std::string_view name, Span inputs, Variables& outputs, ops::Saved saved, std::uint32_t needs,
                 GradientRule rule);
  // What of a cheap op is computed again, and from what.
  struct Again {
    ops::Saved reads;
    std::uint32_t outputs;
    std::function<std::vector<Tensor>(Context&, Inputs inputs, Inputs outputs)> run;
  };
  void make_recomputable(Span inputs, Variables& outputs, Again again) const;
  void push(Node node);
  void note_leaf(const std::shared_ptr<Leaf>& leaf);
  void run_node(Node& node);
  std::vector<Tensor> values_of(Span inputs) const;
  static std::uint32_t needs_of(Span inputs);  // also refuses values whose steps backward has walked already
  void walk(std::span<const std::shared_ptr<Leaf>> model_order);
  [[noreturn]] static void no_rule(std::string_view name);

  mutable Context ctx_;   // what forward makes: activations
  mutable Context work_;  // what backward makes on its way
  Mode mode_;
  std::vector<Node> nodes_;
  std::unordered_map<Leaf*, std::shared_ptr<detail::Slot>> leaves_;
  std::vector<std::shared_ptr<Leaf>> touched_;  // trainable leaves a non-recording tape met, for checkpoint regions
};

template <class Op>
constexpr bool is_cheap() {
  if constexpr (requires { Op::kCheap; }) return Op::kCheap;
  return false;
}

// A cheap op runs again from all its inputs, unless it says which outputs follow from what:
//   static constexpr std::uint32_t kRecomputed;                             bit i: output i is computed again
//   ops::Saved recompute_reads() const;                                     what is kept for that
//   std::vector<Tensor> recompute(Context&, Inputs in, Inputs out) const;   undefined for the others
template <ops::Operation Op>
Tape::Variables Tape::apply(const Op& op, Span inputs) {
  const std::vector<Tensor> values = values_of(inputs);
  Variables outputs = wrap(ops::run(ctx_, op, Inputs(values)));
  const std::uint32_t needs = needs_of(inputs);
  if (mode_.record && needs != 0) {
    if constexpr (ops::Differentiable<Op>)
      record_op(Op::kName, inputs, outputs, op.saves(needs), needs,
                [op](const ops::GradientArgs& args) { return op.gradient(args); });
    else
      no_rule(Op::kName);
  }
  if constexpr (requires { Op::kRecomputed; })
    make_recomputable(inputs, outputs,
                      {op.recompute_reads(), Op::kRecomputed,
                       [op](Context& ctx, Inputs in, Inputs out) { return op.recompute(ctx, in, out); }});
  else if constexpr (is_cheap<Op>())
    make_recomputable(inputs, outputs,
                      {{.inputs = ~0u}, ~0u, [op](Context& ctx, Inputs in, Inputs) { return ops::run(ctx, op, in); }});
  return outputs;
}

}  // namespace strata::autograd
