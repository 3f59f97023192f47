// SPDX-License-Identifier: Apache-2.0
//
// Attention in bf16 by cuDNN's fused kernels. Segments cover all rows; so where there are as many rows as segments
// times the longest, they are of one length, a dense batch. Others are ragged, which takes each segment's beginning
// (elements, of each tensor) and length from the device. cuDNN's statistics lie [Tq, A] here, so that plans need not
// know Tq. What a segment without keys, or without queries, gives is written behind it. Whatever is refused goes to the
// kernels of attention.cu.
#include <array>
#include <limits>
#include <vector>

#include "backends/cuda/attention.hpp"
#include "backends/cuda/cudnn_attention.hpp"
#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"

namespace strata::cuda {
namespace {

using Bf16 = __nv_bfloat16;

struct RaggedPlaces {
  const std::int32_t *q_offsets, *k_offsets;
  std::int64_t segments, places, tensors;
  std::int64_t rows[kTensors];   // elements from one row to the next
  bool has_keys[kTensors];       // rows are keys, not queries
  std::int64_t* offsets;         // [tensors, places + 1]
  std::int32_t *queries, *keys;  // [places]
};

__global__ void find_places(RaggedPlaces p) {
  for (std::int64_t i = first_item(); i <= p.places; i += all_items()) {
    const std::int64_t at = i < p.segments ? i : p.segments, next = at < p.segments ? at + 1 : at;
    for (std::int64_t t = 0; t < p.tensors; ++t)
      p.offsets[t * (p.places + 1) + i] = p.rows[t] * (p.has_keys[t] ? p.k_offsets : p.q_offsets)[at];
    if (i == p.places) return;
    p.queries[i] = p.q_offsets[next] - p.q_offsets[at];
    p.keys[i] = p.k_offsets[next] - p.k_offsets[at];
  }
}

// [rows, columns] -> [columns, rows]
__global__ void turn(const float* from, float* to, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = first_item(); i < rows * columns; i += all_items()) to[i] = from[i % rows * columns + i / rows];
}

// Zeros into the rows of segments that have nothing on the other side, and -inf into their lse, if that is given.
__global__ void fill_lonely(const std::int32_t* own, const std::int32_t* other, int segments, Bf16* data,
                            std::int64_t stride, std::int64_t width, float* lse, std::int64_t heads,
                            std::int64_t tokens) {
  for (int s = static_cast<int>(blockIdx.x); s < segments; s += static_cast<int>(gridDim.x)) {
    if (other[s] != other[s + 1]) continue;
    const std::int64_t begin = own[s], count = own[s + 1] - begin;
    for (std::int64_t i = threadIdx.x; i < count * width; i += blockDim.x)
      data[(begin + i / width) * stride + i % width] = narrow<Bf16>(0.0f);
    if (lse == nullptr) continue;
    for (std::int64_t i = threadIdx.x; i < count * heads; i += blockDim.x)
      lse[i / count * tokens + begin + i % count] = -std::numeric_limits<float>::infinity();
  }
}

// --- host

// A tensor of a graph and where it is.
struct Part {
  AttentionTensor id;
  std::byte* data;
  std::int64_t row, head;  // elements from one row, and one head, to the next
  std::size_t element;
  bool has_keys = false;
  bool scratch = false;  // of one run: used again by the next
};

Part part(AttentionTensor id, const Tensor& x, std::int64_t head_width, bool has_keys = false) {
  return {id, static_cast<std::byte*>(x.raw()), x.row_stride(), head_width, size_of(x.dtype()), has_keys};
}
// [rows, heads × width]
Part scratch(AttentionTensor id, const Tensor& x, std::int64_t head_width) {
  return {id, static_cast<std::byte*>(x.raw()), x.dim(1), head_width, size_of(x.dtype()), false, true};
}

// cuDNN reads 16 bytes at a time.
bool aligned(const std::vector<Part>& parts) {
  for (const auto& one : parts)
    if (one.element == 2 && (reinterpret_cast<std::uintptr_t>(one.data) % 16 != 0 || one.row % 8 != 0)) return false;
  return true;
}

template <class Op>
AttentionSizes sizes_of(const Op& op, Inputs in) {
  return {in[3].numel() - 1, in[0].dim(0), in[1].dim(0), op.longest_query, op.longest_key, in[0].dim(1) / op.head_width,
          op.head_width};
}

struct Ragged {
  Tensor offsets, queries, keys;  // i64 [parts, places + 1], i32 [places]
};

Ragged ragged_places(const AttentionSizes& sizes, std::int64_t places, const std::vector<Part>& parts, Inputs in,
                     Context& ctx) {
  Ragged found{ctx.empty(DType::i64, {static_cast<std::int64_t>(parts.size()), places + 1}),
               ctx.empty(DType::i32, {places}), ctx.empty(DType::i32, {places})};
  RaggedPlaces p{.q_offsets = pointer<const std::int32_t>(in[3]),
                 .k_offsets = pointer<const std::int32_t>(in[4]),
                 .segments = sizes.segments,
                 .places = places,
                 .tensors = static_cast<std::int64_t>(parts.size()),
                 .rows = {},
                 .has_keys = {},
                 .offsets = pointer<std::int64_t>(found.offsets),
                 .queries = pointer<std::int32_t>(found.queries),
                 .keys = pointer<std::int32_t>(found.keys)};
  for (std::size_t i = 0; i < parts.size(); ++i) p.rows[i] = parts[i].row, p.has_keys[i] = parts[i].has_keys;
  launch("find_places", find_places, over(places + 1), ctx, p);
  return found;
}

struct Problem {
  AttentionSizes sizes;
  AttentionChoice choice;
  bool backward = false, exact = true;
  float scale = 1;
};

std::vector<const CudnnPlan*> plans_of(const Problem& problem, const std::vector<Part>& parts, AttentionPlans& plans) {
  const AttentionChoice& choice = problem.choice;
  AttentionKey key{.backward = problem.backward,
                   .ragged = choice.ragged,
                   .exact = problem.exact,
                   .queries = choice.queries,
                   .keys = choice.keys,
                   .heads = choice.heads,
                   .head_width = problem.sizes.head_width};
  for (const auto& one : parts) key.rows[one.id] = one.row;
  std::vector<const CudnnPlan*> found;
  for (const auto segments : choice.segments) {
    key.segments = segments;
    found.push_back(plans.of(key));
    if (found.back() == nullptr) return {};
  }
  return found;
}

// The memory of segments from `first` and heads from `head` on.
std::vector<Binding> bindings(const Problem& problem, const std::vector<Part>& parts, const Ragged& ragged,
                              std::int64_t first, std::int64_t head) {
  const AttentionChoice& choice = problem.choice;
  std::vector<Binding> list;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& one = parts[i];
    std::int64_t begin = one.scratch ? 0 : head * one.head;
    if (!choice.ragged && !one.scratch) begin += first * (one.has_keys ? choice.keys : choice.queries) * one.row;
    list.push_back({one.id, one.data + begin * static_cast<std::int64_t>(one.element)});
    if (choice.ragged)
      list.push_back({one.id + kOffsets, pointer<std::int64_t>(ragged.offsets) +
                                             static_cast<std::int64_t>(i) * (choice.places() + 1) + first});
  }
  if (choice.ragged) {
    list.push_back({kQueryLengths, pointer<std::int32_t>(ragged.queries) + first});
    list.push_back({kKeyLengths, pointer<std::int32_t>(ragged.keys) + first});
  }
  return list;
}

bool run(const Problem& problem, const std::vector<Part>& parts, Inputs in, Context& ctx) {
  const AttentionChoice& choice = problem.choice;
  const CudnnTools tools = cudnn_tools(ctx);
  const std::scoped_lock lock(tools.lock);
  const auto plans = plans_of(problem, parts, tools.plans);
  if (plans.empty()) return false;
  std::int64_t bytes = 0;
  for (const auto* plan : plans) bytes = std::max(bytes, plan->workspace());
  const Tensor workspace = ctx.empty(DType::u8, {bytes});
  Ragged ragged;
  if (choice.ragged) ragged = ragged_places(problem.sizes, choice.places(), parts, in, ctx);
  float scale = problem.scale, one = 1, infinity = -std::numeric_limits<float>::infinity();
  check(cudnnSetStream(tools.handle, stream_of(ctx)), "cudnnSetStream");
  std::int64_t first = 0;
  for (std::size_t i = 0; i < plans.size(); first += choice.segments[i++])
    for (std::int64_t head = 0; head < problem.sizes.heads; head += choice.heads) {
      auto list = bindings(problem, parts, ragged, first, head);
      list.push_back({kScale, &scale});
      if (problem.backward) list.push_back({kOne, &one});
      if (choice.ragged) list.push_back({kInfinity, &infinity});
      if (!plans[i]->run(tools.handle, list, workspace.raw())) return false;
    }
  return true;
}

void turn_into(const Tensor& to, const Tensor& from, Context& ctx) {
  launch("turn", turn, over(to.numel()), ctx, pointer<const float>(from), pointer<float>(to), from.dim(0), from.dim(1));
}

void fill_lonely_rows(const Tensor& own, const Tensor& other, const Tensor& rows, const Tensor& lse, Context& ctx) {
  const auto segments = static_cast<int>(own.numel() - 1);
  launch("fill_lonely", fill_lonely,
         Launch{.blocks = over(std::int64_t{segments} * kThreads).blocks, .threads = kThreads}, ctx,
         pointer<const std::int32_t>(own), pointer<const std::int32_t>(other), segments, pointer<Bf16>(rows),
         rows.row_stride(), rows.dim(1), lse.defined() ? pointer<float>(lse) : nullptr, lse.defined() ? lse.dim(0) : 0,
         rows.dim(0));
}

bool forward_with_cudnn(const ops::Attention& op, Inputs in, Outputs out, Context& ctx) {
  const AttentionSizes sizes = sizes_of(op, in);
  const Problem problem{sizes, choose_attention(sizes, false, cudnn_tools(ctx).setting), false, true,
                        static_cast<float>(op.scale)};
  if (!problem.choice.served) return false;
  const Tensor statistics = ctx.empty(DType::f32, {sizes.queries, sizes.heads});
  const std::vector<Part> parts{part(kQuery, in[0], op.head_width), part(kKey, in[1], op.head_width, true),
                                part(kValue, in[2], op.head_width, true), part(kOutput, out[0], op.head_width),
                                part(kStatistics, statistics, 1)};
  if (!aligned(parts) || !run(problem, parts, in, ctx)) return false;
  turn_into(out[1], statistics, ctx);
  if (problem.choice.ragged) fill_lonely_rows(in[3], in[4], out[0], out[1], ctx);
  return true;
}

bool backward_with_cudnn(const ops::AttentionBackward& op, Inputs in, Outputs out, Context& ctx) {
  const AttentionSizes sizes = sizes_of(op, in);
  const AttentionSetting setting = cudnn_tools(ctx).setting;
  const Problem problem{sizes, choose_attention(sizes, true, setting), true, setting.exact,
                        static_cast<float>(op.scale)};
  const AttentionChoice& choice = problem.choice;
  if (!choice.served) return false;
  const Tensor statistics = ctx.empty(DType::f32, {sizes.queries, sizes.heads});
  const std::int64_t rows = choice.ragged ? sizes.queries : choice.segments.front() * choice.queries;
  const Tensor deltas = ctx.empty(DType::f32, {rows, choice.heads});
  std::vector<Part> parts{part(kQuery, in[0], op.head_width),
                          part(kKey, in[1], op.head_width, true),
                          part(kValue, in[2], op.head_width, true),
                          part(kOutput, in[5], op.head_width),
                          part(kStatistics, statistics, 1),
                          part(kOutputGradient, in[7], op.head_width),
                          part(kQueryGradient, out[0], op.head_width),
                          part(kKeyGradient, out[1], op.head_width, true),
                          part(kValueGradient, out[2], op.head_width, true),
                          scratch(kDeltas, deltas, 1)};
  if (!aligned(parts)) return false;
  Tensor accumulator;
  if (!setting.exact) {
    accumulator = ctx.empty(DType::f32, {rows, choice.heads * op.head_width});
    parts.push_back(scratch(kQueryAccumulator, accumulator, op.head_width));
  }
  turn_into(statistics, in[6], ctx);
  if (!run(problem, parts, in, ctx)) return false;
  if (choice.ragged) {
    fill_lonely_rows(in[3], in[4], out[0], Tensor(), ctx);
    for (const int i : {1, 2}) fill_lonely_rows(in[4], in[3], out[static_cast<std::size_t>(i)], Tensor(), ctx);
  }
  return true;
}

void attention(const ops::Attention& op, Inputs in, Outputs out, Context& ctx) {
  if (!forward_with_cudnn(op, in, out, ctx)) own_attention(op, in, out, ctx);
}
void attention_backward(const ops::AttentionBackward& op, Inputs in, Outputs out, Context& ctx) {
  if (!backward_with_cudnn(op, in, out, ctx)) own_attention_backward(op, in, out, ctx);
}

// A gradient of lse has no place in cuDNN's graph.
bool serves_backward(const ops::AttentionBackward& op, Specs inputs) {
  return serves::first_is<DType::bf16>(op, inputs) && !ops::optional_spec(inputs, 8).defined;
}

}  // namespace

void register_cudnn_attention(KernelTable& table) {
  table.add<ops::Attention>("cuDNN", attention, serves::first_is<DType::bf16>);
  table.add<ops::AttentionBackward>("cuDNN", attention_backward, serves_backward);
}

}  // namespace strata::cuda
