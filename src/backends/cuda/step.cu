// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/step.hpp"

#include "backends/cuda/group.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/step_batch.cuh"
#include "backends/cuda/step_rules.cuh"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

template <class T, class Rule>
__global__ void __launch_bounds__(kThreads)
    step(const __grid_constant__ StepBatch batch, const double* hyper, const double* factor, StepOptions options) {
  using Elements = Held<T, Rule::kSecondMoment>;
  const Piece piece = own_piece(batch);
  const StepTensor& tensor = batch.entries[piece.entry];
  const double by = *factor;
  if (by == 0 && tensor.copy == nullptr) return;
  const Rule rule(hyper + tensor.group * Rule::Op::kHyperColumns, by, options);
  for (std::int64_t at = piece.begin + threadIdx.x * Elements::V; at < piece.end; at += kThreads * Elements::V) {
    Elements x;
    x.load_values(tensor, at, piece.end);
    if (by != 0) {
      x.load_gradient(tensor, at);
      x.load_moments(tensor, at);
      x.each([&](auto& e) { rule(e, tensor.m != nullptr); });
      x.save_values(tensor, at);
      x.save_moments(tensor, at);
    }
    x.save_copy(tensor, at);
  }
}

// LAMB's first pass: m and v, and each block's |p|² and |u|² of its piece.
template <class T>
__global__ void __launch_bounds__(kThreads) lamb_moments(const __grid_constant__ StepBatch batch, const double* hyper,
                                                         const double* factor, double* p_squared, double* u_squared) {
  using Elements = Held<T, true>;
  const Piece piece = own_piece(batch);
  const StepTensor& tensor = batch.entries[piece.entry];
  if (*factor == 0) return;
  const LambRule<Accumulation<T>> rule(hyper + tensor.group * ops::LambStep::kHyperColumns, *factor);
  double p = 0, u = 0;
  for (std::int64_t at = piece.begin + threadIdx.x * Elements::V; at < piece.end; at += kThreads * Elements::V) {
    Elements x;
    x.load_values(tensor, at, piece.end);
    x.load_gradient(tensor, at);
    x.load_moments(tensor, at);
    int k = 0;
    x.each([&](auto& e) {
      rule.moments(e);
      const double direction = k++ < x.n ? rule.direction(e) : 0;
      p += static_cast<double>(e.p) * static_cast<double>(e.p);
      u += direction * direction;
    });
    x.save_moments(tensor, at);
  }
  p = group_sum<kBlock>(p);
  u = group_sum<kBlock>(u);
  if (threadIdx.x == 0) p_squared[blockIdx.x] = p, u_squared[blockIdx.x] = u;
}

// Σ of the entries of a tensor's blocks.
template <class E, int Most, int PieceSize>
__device__ double sum_of_pieces(const Batch<E, Most, PieceSize>& batch, int entry, const double* parts) {
  double sum = 0;
  for (unsigned i = batch.first[entry] + threadIdx.x; i < batch.first[entry + 1]; i += kThreads) sum += parts[i];
  return group_sum<kBlock>(sum);
}

// lr · ratio of each tensor, a block a tensor.
__global__ void __launch_bounds__(kThreads)
    lamb_ratios(const __grid_constant__ StepBatch batch, const double* hyper, const double* factor,
                const double* p_squared, const double* u_squared, double* steps) {
  if (*factor == 0) return;
  const int entry = static_cast<int>(blockIdx.x);
  const double p = sum_of_pieces(batch, entry, p_squared), u = sum_of_pieces(batch, entry, u_squared);
  if (threadIdx.x != 0) return;
  const double* h = hyper + batch.entries[entry].group * ops::LambStep::kHyperColumns;
  steps[entry] = h[0] * (h[7] != 0 && p > 0 && u > 0 ? std::sqrt(p) / std::sqrt(u) : 1);
}

template <class T>
__global__ void __launch_bounds__(kThreads) lamb_apply(const __grid_constant__ StepBatch batch, const double* hyper,
                                                       const double* factor, const double* steps) {
  using A = Accumulation<T>;
  using Elements = Held<T, true>;
  const Piece piece = own_piece(batch);
  const StepTensor& tensor = batch.entries[piece.entry];
  const double by = *factor;
  if (by == 0 && tensor.copy == nullptr) return;
  const LambRule<A> rule(hyper + tensor.group * ops::LambStep::kHyperColumns, by);
  const A step = by == 0 ? A{0} : static_cast<A>(steps[piece.entry]);
  for (std::int64_t at = piece.begin + threadIdx.x * Elements::V; at < piece.end; at += kThreads * Elements::V) {
    Elements x;
    x.load_values(tensor, at, piece.end);
    if (by != 0) {
      x.load_moments(tensor, at);
#pragma unroll
      for (int k = 0; k < Elements::V; ++k) x.p[k] -= step * rule.direction({x.p[k], A{0}, x.m[k], x.v[k]});
      x.save_values(tensor, at);
    }
    x.save_copy(tensor, at);
  }
}

// Tensors whose parameter is of `type`; their outputs hold their inputs.
template <class Op>
std::vector<StepTensor> step_tensors(const Op& op, bool second_moment, DType type, Inputs in, Outputs out,
                                     const Context& ctx) {
  const std::size_t moments = second_moment ? 2 : 1, outputs = 1 + moments + (op.compute_copy.empty() ? 0 : 1);
  const int together = type == DType::f64 ? kTogether<double> : kTogether<float>;
  std::vector<StepTensor> tensors;
  for (std::size_t i = 0; i < op.groups.size(); ++i) {
    const Inputs from = in.subspan(2 + i * (2 + moments), 2 + moments);
    const Outputs to = out.subspan(i * outputs, outputs);
    if (from[0].dtype() != type || from[0].numel() == 0) continue;
    StepTensor tensor{to[0].raw(),     nullptr,      nullptr,         nullptr, from[1].raw(),
                      from[0].numel(), op.groups[i], from[1].dtype(), type,    false};
    settle(from[0], to[0], ctx);
    for (std::size_t k = 0; k < moments; ++k) {
      if (!from[2 + k].defined()) continue;
      settle(from[2 + k], to[1 + k], ctx);
      (k == 0 ? tensor.m : tensor.v) = to[1 + k].raw();
    }
    if (!op.compute_copy.empty() && to.back().defined())
      tensor.copy = to.back().raw(), tensor.copy_type = to.back().dtype();
    tensor.packed = lies_on_packs(from[1], together) &&
                    std::ranges::all_of(to, [&](const Tensor& t) { return lies_on_packs(t, together); });
    tensors.push_back(tensor);
  }
  return tensors;
}

// Calls f with a value of the parameters' type and a batch of them.
template <class Op, class F>
void each_step_batch(const Op& op, bool second_moment, Inputs in, Outputs out, Context& ctx, const F& f) {
  for (const DType type : {DType::f32, DType::f64})
    each_batch<StepBatch>(step_tensors(op, second_moment, type, in, out, ctx),
                          [&](const StepBatch& batch, std::size_t) {
                            if (type == DType::f32)
                              f(float{}, batch);
                            else
                              f(double{}, batch);
                          });
}

template <template <class> class Rule, class Op>
void run_rule(const Op& op, StepOptions options, Inputs in, Outputs out, Context& ctx) {
  each_step_batch(op, Rule<float>::kSecondMoment, in, out, ctx, [&]<class T>(T, const StepBatch& batch) {
    launch(Op::kName.data(), step<T, Rule<T>>, {.blocks = batch.blocks(), .threads = kThreads}, ctx, batch,
           pointer<double>(in[0]), pointer<double>(in[1]), options);
  });
}

void adamw(const ops::AdamWStep& op, Inputs in, Outputs out, Context& ctx) {
  run_rule<AdamWRule>(op, {.decoupled = op.decoupled}, in, out, ctx);
}
void sgd(const ops::SgdStep& op, Inputs in, Outputs out, Context& ctx) {
  run_rule<SgdRule>(op, {.nesterov = op.nesterov}, in, out, ctx);
}
void lion(const ops::LionStep& op, Inputs in, Outputs out, Context& ctx) { run_rule<LionRule>(op, {}, in, out, ctx); }

void lamb(const ops::LambStep& op, Inputs in, Outputs out, Context& ctx) {
  each_step_batch(op, true, in, out, ctx, [&]<class T>(T, const StepBatch& batch) {
    const std::int64_t blocks = batch.blocks();
    const Tensor scratch = ctx.empty(DType::f64, {2 * blocks + batch.count});
    double *p_squared = pointer<double>(scratch), *u_squared = p_squared + blocks, *steps = u_squared + blocks;
    const double *hyper = pointer<double>(in[0]), *factor = pointer<double>(in[1]);
    const Launch over_pieces{.blocks = batch.blocks(), .threads = kThreads};
    launch("lamb_moments", lamb_moments<T>, over_pieces, ctx, batch, hyper, factor, p_squared, u_squared);
    launch("lamb_ratios", lamb_ratios, {.blocks = static_cast<unsigned>(batch.count), .threads = kThreads}, ctx, batch,
           hyper, factor, p_squared, u_squared, steps);
    launch("lamb_apply", lamb_apply<T>, over_pieces, ctx, batch, hyper, factor, steps);
  });
}

struct NormTensor {
  const void* data;
  std::int64_t numel;
  DType type;
  bool packed;
};
using NormBatch = Batch<NormTensor, 128, 16384>;

// The calling thread's part of Σ x² of its block's n elements. Products of two f32 are exact in f64.
template <int V, class T>
__device__ __forceinline__ double squares_of(const T* x, std::int64_t n) {
  double sum = 0;
  const auto add = [&](const auto& pack) {
#pragma unroll
    for (const T element : pack.v) {
      const auto value = static_cast<double>(widen(element));
      sum += value * value;
    }
  };
  stream<kOfOne, std::int64_t>(
      threadIdx.x, n / V, kThreads, [&](std::int64_t i) { return bits_at<V>(x, i); },
      [&](std::int64_t, const PackBits<T, V>& bits) { add(bits.pack()); });
  for (std::int64_t i = n / V * V + threadIdx.x; i < n; i += kThreads) add(Pack<T, 1>{{x[i]}});
  return sum;
}

__global__ void __launch_bounds__(kThreads) squares(const __grid_constant__ NormBatch batch, double* parts) {
  const Piece piece = own_piece(batch);
  const NormTensor& tensor = batch.entries[piece.entry];
  const auto of = [&]<class T>(const T* x) {
    constexpr int V = 16 / sizeof(T);
    const std::int64_t n = piece.end - piece.begin;
    return tensor.packed ? squares_of<V>(x + piece.begin, n) : squares_of<1>(x + piece.begin, n);
  };
  const double sum = group_sum<kBlock>(tensor.type == DType::f32    ? of(static_cast<const float*>(tensor.data))
                                       : tensor.type == DType::bf16 ? of(static_cast<const __nv_bfloat16*>(tensor.data))
                                                                    : of(static_cast<const double*>(tensor.data)));
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// A block a tensor.
__global__ void __launch_bounds__(kThreads)
    sums_of_squares(const __grid_constant__ NormBatch batch, const double* parts, double* sums) {
  const double sum = sum_of_pieces(batch, static_cast<int>(blockIdx.x), parts);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

void squared_norms(const ops::SquaredNorms&, Inputs in, Outputs out, Context& ctx) {
  std::vector<NormTensor> tensors;
  for (const Tensor& x : in)
    tensors.push_back({x.raw(), x.numel(), x.dtype(), lies_on_packs(x, static_cast<int>(16 / size_of(x.dtype())))});
  each_batch<NormBatch>(tensors, [&](const NormBatch& batch, std::size_t at) {
    const Tensor parts = ctx.empty(DType::f64, {batch.blocks()});
    if (batch.blocks() > 0)
      launch("squared_norms", squares, {.blocks = batch.blocks(), .threads = kThreads}, ctx, batch,
             pointer<double>(parts));
    launch("squared_norms", sums_of_squares, {.blocks = static_cast<unsigned>(batch.count), .threads = kThreads}, ctx,
           batch, pointer<double>(parts), pointer<double>(out[0]) + at);
  });
}

// One block: it brings the squared sums near, its first thread adds them in their order.
__global__ void __launch_bounds__(kThreads)
    clip(const double* sums, std::int64_t n, const double* scale, double max_norm, double* factor, double* norm) {
  __shared__ double near[kThreads];
  double sum = 0;
  for (std::int64_t begin = 0; begin < n; begin += kThreads) {
    const int count = static_cast<int>(n - begin < kThreads ? n - begin : kThreads);
    if (static_cast<int>(threadIdx.x) < count) near[threadIdx.x] = sums[begin + threadIdx.x];
    __syncthreads();
    for (int i = 0; threadIdx.x == 0 && i < count; ++i) sum += near[i];
    __syncthreads();
  }
  if (threadIdx.x != 0) return;
  const double all = *scale * std::sqrt(sum), clipped = max_norm > 0 ? std::fmin(1.0, max_norm / (all + 1e-6)) : 1.0;
  *factor = isfinite(all) ? *scale * clipped : 0.0;
  *norm = all;
}

void clip_factor(const ops::ClipFactor& op, Inputs in, Outputs out, Context& ctx) {
  launch("clip_factor", clip, {.blocks = 1, .threads = kThreads}, ctx, pointer<double>(in[0]), in[0].numel(),
         pointer<double>(in[1]), op.max_norm, pointer<double>(out[0]), pointer<double>(out[1]));
}

struct EmaTensor {
  void* average;
  const void* p;
  std::int64_t numel;
  DType p_type;
  bool packed;
};
using EmaBatch = Batch<EmaTensor, 96, 4096>;

template <class T>
__global__ void __launch_bounds__(kThreads) average(const __grid_constant__ EmaBatch batch, const double* decay) {
  using A = Accumulation<T>;
  constexpr int V = kTogether<T>;
  const Piece piece = own_piece(batch);
  const EmaTensor& tensor = batch.entries[piece.entry];
  const A blend = static_cast<A>(1 - *decay);
  for (std::int64_t at = piece.begin + threadIdx.x * V; at < piece.end; at += kThreads * V) {
    const int n = static_cast<int>(piece.end - at < V ? piece.end - at : V);
    T* to = static_cast<T*>(tensor.average) + at;
    A e[V], p[V];
    load(to, n, tensor.packed, e);
    load(tensor.p, tensor.p_type, at, n, tensor.packed, p);
#pragma unroll
    for (int k = 0; k < V; ++k) e[k] += blend * (p[k] - e[k]);
    save(to, n, tensor.packed, e);
  }
}

void ema(const ops::EmaStep&, Inputs in, Outputs out, Context& ctx) {
  for (const DType type : {DType::f32, DType::bf16, DType::f64})
    with_floating(type, [&]<class T>(T) {
      std::vector<EmaTensor> tensors;
      for (std::size_t i = 0; i < out.size(); ++i) {
        const Tensor& p = in[2 + 2 * i];
        if (out[i].dtype() != type || p.numel() == 0) continue;
        settle(in[1 + 2 * i], out[i], ctx);
        const bool packed = lies_on_packs(out[i], kTogether<T>) && lies_on_packs(p, kTogether<T>);
        tensors.push_back({out[i].raw(), p.raw(), p.numel(), p.dtype(), packed});
      }
      each_batch<EmaBatch>(tensors, [&](const EmaBatch& batch, std::size_t) {
        launch("ema_step", average<T>, {.blocks = batch.blocks(), .threads = kThreads}, ctx, batch,
               pointer<double>(in[0]));
      });
    });
}

template <class Op>
bool serves_step(const Op& op, Specs) {
  return std::ranges::all_of(op.compute_copy, is_floating);
}

}  // namespace

void register_step(KernelTable& table) {
  table.add<ops::AdamWStep>("cuda", adamw, serves_step);
  table.add<ops::SgdStep>("cuda", sgd, serves_step);
  table.add<ops::LionStep>("cuda", lion, serves_step);
  table.add<ops::LambStep>("cuda", lamb, serves_step);
  table.add<ops::SquaredNorms>("cuda", squared_norms, serves::anything);
  table.add<ops::ClipFactor>("cuda", clip_factor, serves::anything);
  table.add<ops::EmaStep>("cuda", ema, serves::anything);
}

}  // namespace strata::cuda
