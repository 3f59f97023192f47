// SPDX-License-Identifier: Apache-2.0
//
// The transformer's layers over packed tokens (rows [T, C] of sequences packed one behind the other): pre-norm block as
// in ViT (Dosovitskiy et al. 2021; timm names). Sizes are read from the weights, so a layer whose weights were cut
// along heads or the hidden width just works.
//
// The type a layer is made with chooses its arithmetic, f32 (f64) throughout or mixed precision. In a layer of bf16 the
// matrices are bf16 with f32 masters (Parameter) and what goes into a product is bf16; every other parameter, the rows
// between blocks (the residual stream), sums and statistics are f32, and so are all gradients of parameters.
#pragma once

#include <memory>

#include "strata/nn/module.hpp"
#include "strata/ops/segments.hpp"

namespace strata::nn {

using ops::Segments;

// Sequences packed in a batch, and what random numbers are keyed by: random_keys i64 [n, 2] on the device, (sample
// ordinal, part) of each.
struct Sequences {
  Segments segments;
  Tensor random_keys;
};

// y = x·Wᵀ + b, or with `Fused` y = residual + f(x)·Wᵀ + b in one op. With `partial_sum` set (a row-split weight: the
// products of all ranks must be summed) bias and residual are added after it.
class Linear final : public Module {
 public:
  struct Options {
    bool bias = true;
    Init weight_init = Init::truncated_normal(0.02);
    Init bias_init = Init::zeros();
    std::vector<LogicalAxis> out_axes, in_axes;  // default: one axis each, "out" and "in"
    Shape weight_shape;                          // default [out, in]; [out, ...] when the inputs are unfolded patches
  };
  Linear(const Context& ctx, DType dtype, std::int64_t in, std::int64_t out, Options options);

  struct Fused {
    bool gelu = false;  // f is GELU; the identity otherwise
    Variable residual;  // [.., out] or undefined; y has its type
  };
  Variable forward(Tape& tape, const Variable& x) { return forward(tape, x, {}); }
  Variable forward(Tape& tape, const Variable& x, const Fused& fused);

  ParameterPtr weight, bias;  // [out, in], [out] or null
  std::function<Variable(Tape&, const Variable&)> partial_sum;
};

class LayerNorm final : public Module {
 public:
  LayerNorm(const Context& ctx, DType dtype, std::int64_t width, double epsilon);
  Variable forward(Tape& tape, const Variable& x);  // of type `dtype`, whatever that of the rows x

  // h = x + branch and LN(h), in one pass. The module's border is that of forward(h); value hooks get h from an own
  // sum.
  struct Sum {
    Variable rows, normed;
  };
  Sum forward_sum(Tape& tape, const Variable& x, const Variable& branch);

  ParameterPtr weight, bias;  // [C]

 private:
  DType output_;
  double epsilon_;
};

// The attention product by itself, replaceable by a plan (a ring over the study group) or by a tool (attention maps).
class AttentionCore : public Module {
 public:
  struct Output {
    Variable o;    // [Tq, C]
    Variable lse;  // [A, Tq]
  };
  // q [Tq, A·width], k and v [Tk, A·width]; sequence i of the queries sees sequence i of the keys.
  virtual Output forward(Tape& tape, const Variable& q, const Variable& k, const Variable& v, const Segments& queries,
                         const Segments& keys, std::int64_t head_width);
};

// Multi-head self-attention with a fused qkv projection: rows of its weight are q, k, v, each head-major; scale
// 1/sqrt(head width).
class Attention final : public Module {
 public:
  // Heads that do not divide the width, or a head width that is not a multiple of 8 up to 128: usage error.
  Attention(const Context& ctx, DType dtype, std::int64_t width, std::int64_t heads);
  Variable forward(Tape& tape, const Variable& x, const Sequences& sequences);

  std::int64_t head_width() const { return head_width_; }
  void set_core(std::shared_ptr<AttentionCore> core);
  AttentionCore& core() { return *core_; }

  Linear qkv, proj;

 private:
  std::int64_t head_width_;
  std::shared_ptr<AttentionCore> core_;
};

// C -> hidden -> C with exact GELU, added to a residual where one is given.
class Mlp final : public Module {
 public:
  Mlp(const Context& ctx, DType dtype, std::int64_t width, std::int64_t hidden);
  Variable forward(Tape& tape, const Variable& x, const Variable& residual = {});

  Linear fc1, fc2;
};

// x ← x + DropPath(Attn(LN(x))); x ← x + DropPath(MLP(LN(x))). Drop path drops whole sequences; `index` keys its draws.
class Block final : public Module {
 public:
  struct Options {
    std::int64_t width = 768, heads = 12, hidden = 3072;
    double norm_epsilon = 1e-6;
    double drop_path = 0;
    int index = 0;
  };
  Block(const Context& ctx, DType dtype, Options options);
  Variable forward(Tape& tape, const Variable& x, const Sequences& sequences);

  LayerNorm norm1;
  Attention attn;
  LayerNorm norm2;
  Mlp mlp;

 private:
  bool drops(const Tape& tape) const { return tape.training() && options_.drop_path > 0; }
  Variable drop(Tape& tape, const Variable& branch, const Sequences& sequences, int which) const;
  Options options_;
};

}  // namespace strata::nn
