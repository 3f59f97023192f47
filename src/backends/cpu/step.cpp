// SPDX-License-Identifier: Apache-2.0
//
// Optimizer steps: one pass over the memory of all tensors. Tensors are cut into pieces of a fixed size, dealt to
// threads in order, so a thread meets the same memory in every step.
#include "strata/ops/step.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/step.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

constexpr std::int64_t kPiece = 16384;  // elements: the state of a piece (256 KB) fits a second-level cache

struct PieceOf {
  std::size_t tensor;
  std::int64_t begin, n;
};

std::vector<PieceOf> pieces_of(std::size_t tensors, const auto& numel) {
  std::vector<PieceOf> pieces;
  for (std::size_t i = 0; i < tensors; ++i)
    for (std::int64_t begin = 0; begin < numel(i); begin += kPiece)
      pieces.push_back({i, begin, std::min(kPiece, numel(i) - begin)});
  return pieces;
}

// The inputs and outputs of a step op, tensor by tensor. States: moments a parameter.
template <class Op, std::size_t States>
class StepTensors {
 public:
  StepTensors(const Op& op, Inputs in, Outputs out) : op_(op), in_(in), out_(out) {}

  std::size_t count() const { return op_.groups.size(); }
  std::int64_t numel(std::size_t i) const { return input(i, 0).numel(); }
  const double* hyper(std::size_t i) const {
    return in_[0].template data<double>() + op_.groups[i] * Op::kHyperColumns;
  }
  double factor() const { return *in_[1].template data<double>(); }
  bool has_state(std::size_t i) const { return input(i, 2).defined(); }

  // The piece as the kernels change it: parameter and moments are the outputs, filled from the inputs where they are
  // other memory.
  StepPiece piece(const PieceOf& at) const {
    StepPiece piece{at.n, settle(at, 0, 0), nullptr, nullptr, settle(at, 2, 1), nullptr, nullptr};
    if constexpr (States == 2) piece.v = settle(at, 3, 2);
    const Tensor& g = input(at.tensor, 1);
    if (g.dtype() == DType::f32) piece.g = g.data<float>() + at.begin;
    if (g.dtype() == DType::bf16) piece.g_half = static_cast<const std::uint16_t*>(g.raw()) + at.begin;
    if (!op_.compute_copy.empty() && output(at.tensor, States + 1).defined())
      piece.copy = static_cast<std::uint16_t*>(output(at.tensor, States + 1).raw()) + at.begin;
    return piece;
  }

 private:
  const Tensor& input(std::size_t i, std::size_t k) const { return in_[2 + i * (2 + States) + k]; }
  const Tensor& output(std::size_t i, std::size_t k) const {
    return out_[i * (States + (op_.compute_copy.empty() ? 1 : 2)) + k];
  }
  float* settle(const PieceOf& at, std::size_t from, std::size_t to) const {
    const Tensor& source = input(at.tensor, from);
    if (!source.defined()) return nullptr;
    const float* read = source.data<float>() + at.begin;
    float* write = output(at.tensor, to).template data<float>() + at.begin;
    if (write != read) std::memcpy(write, read, static_cast<std::size_t>(at.n) * sizeof(float));
    return write;
  }

  const Op& op_;
  Inputs in_;
  Outputs out_;
};

template <std::size_t States, class Op, class Run>
void each_piece(const Op& op, Inputs in, Outputs out, const Context& ctx, const Run& run) {
  const StepTensors<Op, States> tensors(op, in, out);
  const auto pieces = pieces_of(tensors.count(), [&](std::size_t i) { return tensors.numel(i); });
  parallel_for(ctx, static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) run(tensors, pieces[static_cast<std::size_t>(i)]);
  });
}

// The gradients are not finite: outputs become the inputs, and the copies are written from them.
void keep(StepPiece piece) {
  for (std::int64_t i = 0; piece.copy != nullptr && i < piece.n; ++i) piece.copy[i] = BFloat16(piece.p[i]).bits;
}

float narrow(double x) { return static_cast<float>(x); }

void adamw(const ops::AdamWStep& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, step_simd);
  each_piece<2>(op, in, out, ctx, [&](const auto& tensors, const PieceOf& at) {
    const StepPiece piece = tensors.piece(at);
    if (tensors.factor() == 0) return keep(piece);
    const double* h = tensors.hyper(at.tensor);
    const double lr = h[0], decay = h[4];
    kernels.adamw(piece, {.factor = narrow(tensors.factor()),
                          .keep = narrow(op.decoupled ? 1 - lr * decay : 1),
                          .l2 = narrow(op.decoupled ? 0 : decay),
                          .blend1 = narrow(1 - h[1]),
                          .beta2 = narrow(h[2]),
                          .blend2 = narrow(1 - h[2]),
                          .step = narrow(lr / h[5]),
                          .root_scale = narrow(1 / std::sqrt(h[6])),
                          .eps = narrow(h[3])});
  });
}

void sgd(const ops::SgdStep& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, step_simd);
  each_piece<1>(op, in, out, ctx, [&](const auto& tensors, const PieceOf& at) {
    const StepPiece piece = tensors.piece(at);
    if (tensors.factor() == 0) return keep(piece);
    const double* h = tensors.hyper(at.tensor);
    const bool first = h[4] != 0;
    if (first && piece.m != nullptr) std::memset(piece.m, 0, static_cast<std::size_t>(piece.n) * sizeof(float));
    const SgdScalars scalars{.factor = narrow(tensors.factor()),
                             .l2 = narrow(h[3]),
                             .lr = narrow(h[0]),
                             .momentum = narrow(h[1]),
                             .blend = narrow(first ? 1 : 1 - h[2]),
                             .nesterov = op.nesterov};
    (piece.m != nullptr ? kernels.sgd : kernels.sgd_plain)(piece, scalars);
  });
}

void lion(const ops::LionStep& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, step_simd);
  each_piece<1>(op, in, out, ctx, [&](const auto& tensors, const PieceOf& at) {
    const StepPiece piece = tensors.piece(at);
    if (tensors.factor() == 0) return keep(piece);
    const double* h = tensors.hyper(at.tensor);
    kernels.lion(piece, {.factor = narrow(tensors.factor()),
                         .keep = narrow(1 - h[0] * h[3]),
                         .lr = narrow(h[0]),
                         .beta1 = narrow(h[1]),
                         .blend1 = narrow(1 - h[1]),
                         .beta2 = narrow(h[2]),
                         .blend2 = narrow(1 - h[2])});
  });
}

// Neighbours are added in pairs, again and again: a tree that depends on the count alone.
double tree_sum(std::span<double> parts) {
  auto n = parts.size();
  for (; n > 1; n = (n + 1) / 2)
    for (std::size_t i = 0; i < n / 2 + n % 2; ++i)
      parts[i] = 2 * i + 1 < n ? parts[2 * i] + parts[2 * i + 1] : parts[2 * i];
  return parts.empty() ? 0 : parts[0];
}

// First piece of each tensor, and behind the last one their number.
std::vector<std::size_t> bounds_of(const std::vector<PieceOf>& pieces, std::size_t tensors) {
  std::vector<std::size_t> bounds(tensors + 1, 0);
  for (const auto& piece : pieces) ++bounds[piece.tensor + 1];
  for (std::size_t i = 0; i < tensors; ++i) bounds[i + 1] += bounds[i];
  return bounds;
}

LambScalars lamb_scalars(const double* h, double factor) {
  return {.factor = narrow(factor),
          .decay = narrow(h[4]),
          .blend1 = narrow(1 - h[1]),
          .beta2 = narrow(h[2]),
          .blend2 = narrow(1 - h[2]),
          .inverse_bias1 = narrow(1 / h[5]),
          .root_scale = narrow(1 / std::sqrt(h[6])),
          .eps = narrow(h[3])};
}

void lamb(const ops::LambStep& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, step_simd);
  const StepTensors<ops::LambStep, 2> tensors(op, in, out);
  const auto pieces = pieces_of(tensors.count(), [&](std::size_t i) { return tensors.numel(i); });
  const auto bounds = bounds_of(pieces, tensors.count());
  const auto n = static_cast<std::int64_t>(pieces.size());
  std::vector<double> p_squared(pieces.size()), u_squared(pieces.size());
  std::vector<StepPiece> views(pieces.size());
  parallel_for(ctx, n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      views[i] = tensors.piece(pieces[i]);
      if (tensors.factor() == 0) {
        keep(views[i]);
        continue;
      }
      const auto sums = kernels.lamb_moments(views[i], lamb_scalars(tensors.hyper(pieces[i].tensor), tensors.factor()));
      p_squared[i] = sums.p_squared;
      u_squared[i] = sums.u_squared;
    }
  });
  if (tensors.factor() == 0) return;
  std::vector<double> steps(tensors.count());  // lr · ratio
  for (std::size_t t = 0; t < tensors.count(); ++t) {
    const auto parts = [&](std::vector<double>& all) {
      return std::span(all).subspan(bounds[t], bounds[t + 1] - bounds[t]);
    };
    const double p = tree_sum(parts(p_squared)), u = tree_sum(parts(u_squared));
    const double* h = tensors.hyper(t);
    steps[t] = h[0] * (h[7] != 0 && p > 0 && u > 0 ? std::sqrt(p) / std::sqrt(u) : 1);
  }
  parallel_for(ctx, n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto tensor = pieces[i].tensor;
      kernels.lamb_apply(views[i], lamb_scalars(tensors.hyper(tensor), tensors.factor()), narrow(steps[tensor]));
    }
  });
}

void squared_norms(const ops::SquaredNorms&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, step_simd);
  const auto pieces = pieces_of(in.size(), [&](std::size_t i) { return in[i].numel(); });
  const auto bounds = bounds_of(pieces, in.size());
  std::vector<double> sums(pieces.size());
  parallel_for(ctx, static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto& [tensor, first, n] = pieces[i];
      const Tensor& x = in[tensor];
      if (x.dtype() == DType::f32)
        sums[i] = kernels.squares_f32(x.data<float>() + first, n);
      else if (x.dtype() == DType::bf16)
        sums[i] = kernels.squares_bf16(static_cast<const std::uint16_t*>(x.raw()) + first, n);
      else
        sums[i] = kernels.squares_f64(x.data<double>() + first, n);
    }
  });
  for (std::size_t t = 0; t < in.size(); ++t)
    out[0].data<double>()[t] = tree_sum(std::span(sums).subspan(bounds[t], bounds[t + 1] - bounds[t]));
}

void clip_factor(const ops::ClipFactor& op, Inputs in, Outputs out, Context&) {
  double sum = 0;
  for (std::int64_t i = 0; i < in[0].numel(); ++i) sum += in[0].data<double>()[i];
  const double scale = *in[1].data<double>(), norm = scale * std::sqrt(sum);
  const double clipped = op.max_norm > 0 ? std::fmin(1, op.max_norm / (norm + 1e-6)) : 1;
  *out[0].data<double>() = std::isfinite(norm) ? scale * clipped : 0;
  *out[1].data<double>() = norm;
}

void ema(const ops::EmaStep&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, step_simd);
  const float blend = narrow(1 - *in[0].data<double>());
  const auto pieces = pieces_of(out.size(), [&](std::size_t i) { return out[i].numel(); });
  parallel_for(ctx, static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto& [tensor, first, n] = pieces[i];
      const float* before = in[1 + 2 * tensor].data<float>() + first;
      float* after = out[tensor].data<float>() + first;
      if (after != before) std::memcpy(after, before, static_cast<std::size_t>(n) * sizeof(float));
      kernels.ema(after, in[2 + 2 * tensor].data<float>() + first, n, blend);
    }
  });
}

// Master and state in f32, gradients in f32 or bf16, copies (where there are any) in bf16. Everything else is the
// reference backend's.
template <std::size_t States, class Op>
bool serves_step(const Op& op, Specs inputs) {
  const auto f32 = [](const TensorSpec& spec) { return !spec.defined || spec.dtype == DType::f32; };
  for (std::size_t i = 0; i < op.groups.size(); ++i) {
    const auto tensor = inputs.subspan(2 + i * (2 + States), 2 + States);
    if (!f32(tensor[0]) || !(f32(tensor[1]) || tensor[1].dtype == DType::bf16)) return false;
    if (!std::ranges::all_of(tensor.subspan(2), f32)) return false;
  }
  return std::ranges::all_of(op.compute_copy, [](DType type) { return type == DType::bf16 || type == DType::f32; });
}

bool serves_ema(const ops::EmaStep&, Specs inputs) {
  return std::ranges::all_of(inputs.subspan(1), [](const TensorSpec& spec) { return spec.dtype == DType::f32; });
}

}  // namespace

void add_step(KernelTable& table) {
  table.add<ops::AdamWStep>("fused f32", adamw, serves_step<2, ops::AdamWStep>);
  table.add<ops::SgdStep>("fused f32", sgd, serves_step<1, ops::SgdStep>);
  table.add<ops::LionStep>("fused f32", lion, serves_step<1, ops::LionStep>);
  table.add<ops::LambStep>("fused f32", lamb, serves_step<2, ops::LambStep>);
  table.add<ops::SquaredNorms>("lanes of f64", squared_norms, serves::anything);
  table.add<ops::ClipFactor>("plain", clip_factor, serves::anything);
  table.add<ops::EmaStep>("f32", ema, serves_ema);
}

}  // namespace strata::cpu
