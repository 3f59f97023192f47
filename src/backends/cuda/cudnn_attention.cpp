// SPDX-License-Identifier: Apache-2.0
//
// cuDNN recognises attention by the pattern of its operations: what stands here in which order, which tensors are in
// memory and which are bf16, is that pattern. Shapes are [segments, heads, rows, columns]; keys (and, in the backward,
// values) are given transposed.
#include "backends/cuda/cudnn_attention.hpp"

#include <algorithm>

namespace strata::cuda {
namespace {

using Id = CudnnGraph::Id;

class Builder {
 public:
  explicit Builder(const AttentionKey& key) : key_(key) {
    scale_ = value(kScale);
    if (!key.ragged) return;
    infinity_ = value(kInfinity);
    for (const Id id : {kQueryLengths, kKeyLengths})
      graph_.add({.id = id, .type = CUDNN_DATA_INT32, .extents = {key.segments, 1, 1, 1}, .alignment = 4});
  }

  CudnnGraph forward() {
    const Id q = rows(kQuery, key_.queries), k = rows(kKey, key_.keys, true), v = rows(kValue, key_.keys);
    const Id o = rows(kOutput, key_.queries), statistics = row_numbers(kStatistics);
    const Id scores = masked(call(CUDNN_POINTWISE_MUL, {product(q, k), scale_}, square()));
    const Id largest = graph_.add(column());
    graph_.reduce(CUDNN_REDUCE_TENSOR_MAX, scores, largest);
    const Id powers = call(CUDNN_POINTWISE_EXP, {call(CUDNN_POINTWISE_SUB, {scores, largest}, square())}, square());
    const Id sum = graph_.add(column());
    graph_.reduce(CUDNN_REDUCE_TENSOR_ADD, powers, sum);
    const Id logarithm = call(CUDNN_POINTWISE_LOG, {sum}, column());
    graph_.pointwise(CUDNN_POINTWISE_ADD, std::array{largest, logarithm}, statistics);
    const Id weights = call(CUDNN_POINTWISE_DIV, {powers, sum}, square(CUDNN_DATA_BFLOAT16));
    graph_.matmul(weights, v, o, {.m = query_lengths(), .k = key_lengths()});
    return std::move(graph_);
  }

  CudnnGraph backward() {
    const Id q = rows(kQuery, key_.queries), k = rows(kKey, key_.keys, true), v = rows(kValue, key_.keys, true);
    const Id o = rows(kOutput, key_.queries), d_o = rows(kOutputGradient, key_.queries);
    const Id dk = rows(kKeyGradient, key_.keys), dv = rows(kValueGradient, key_.keys);
    const Id statistics = row_numbers(kStatistics);
    const Id deltas = sums_of_rows(d_o, o);
    const Id scores = masked(call(CUDNN_POINTWISE_MUL, {product(q, k, false), scale_}, square()));
    const Id weights = call(CUDNN_POINTWISE_EXP, {call(CUDNN_POINTWISE_SUB, {scores, statistics}, square())}, square());
    graph_.matmul(turned(weights), d_o, dv, {.m = key_lengths(), .k = query_lengths()});
    const Id slopes = call(CUDNN_POINTWISE_SUB, {product(d_o, v, false), deltas}, square());
    const Id scaled = call(CUDNN_POINTWISE_MUL, {call(CUDNN_POINTWISE_MUL, {slopes, weights}, square()), scale_},
                           square());  // the gradient of q · k
    graph_.matmul(turned(scaled), q, dk, {.m = key_lengths(), .k = query_lengths()});
    put_query_gradient(scaled);
    return std::move(graph_);
  }

 private:
  Id value(Id id) { return graph_.add({.id = id, .alignment = 4, .by_value = true}); }
  Id query_lengths() const { return key_.ragged ? Id{kQueryLengths} : 0; }
  Id key_lengths() const { return key_.ragged ? Id{kKeyLengths} : 0; }

  Id offsets(Id of) {
    if (!key_.ragged) return 0;
    return graph_.add(
        {.id = of + kOffsets, .type = CUDNN_DATA_INT64, .extents = {key_.segments + 1, 1, 1, 1}, .alignment = 8});
  }
  // Rows of tokens, a head a block of columns.
  GraphTensor matrix(Id id, std::int64_t count, cudnnDataType_t type = CUDNN_DATA_BFLOAT16) {
    const std::int64_t row = key_.rows[static_cast<std::size_t>(id)];
    return {.id = id,
            .type = type,
            .extents = {key_.segments, key_.heads, count, key_.head_width},
            .strides = {count * row, key_.head_width, row, 1},
            .ragged = offsets(id)};
  }
  Id rows(Id id, std::int64_t count, bool transposed = false) {
    auto tensor = matrix(id, count);
    if (transposed) {
      std::swap(tensor.extents[2], tensor.extents[3]);
      std::swap(tensor.strides[2], tensor.strides[3]);
    }
    return graph_.add(tensor);
  }
  // A number a row and head.
  Id row_numbers(Id id) {
    const std::int64_t row = key_.rows[static_cast<std::size_t>(id)];
    return graph_.add({.id = id,
                       .extents = {key_.segments, key_.heads, key_.queries, 1},
                       .strides = {key_.queries * row, 1, row, 1},
                       .alignment = 4,
                       .ragged = offsets(id)});
  }

  GraphTensor square(cudnnDataType_t type = CUDNN_DATA_FLOAT) const {
    const std::int64_t area = key_.queries * key_.keys;
    return {.type = type,
            .extents = {key_.segments, key_.heads, key_.queries, key_.keys},
            .strides = {key_.heads * area, area, key_.keys, 1}};
  }
  GraphTensor column() const {
    return {.extents = {key_.segments, key_.heads, key_.queries, 1},
            .strides = {key_.heads * key_.queries, key_.queries, 1, 1}};
  }

  Id call(cudnnPointwiseMode_t mode, std::initializer_list<Id> inputs, GraphTensor y,
          cudnnDataType_t precision = CUDNN_DATA_FLOAT, std::int64_t axis = -1) {
    const Id id = graph_.add(y);
    graph_.pointwise(mode, std::span<const Id>(inputs), id, precision, axis);
    return id;
  }
  Id product(Id a, Id b, bool pads = true) {
    const Id y = graph_.add(square());
    graph_.matmul(a, b, y, {.m = query_lengths(), .n = key_lengths()}, pads && key_.ragged);
    return y;
  }

  // Minus infinity where there is no query or no key.
  Id masked(Id scores) {
    if (!key_.ragged) return scores;
    const auto integers = square(CUDNN_DATA_INT32), booleans = square(CUDNN_DATA_BOOLEAN);
    const Id row = call(CUDNN_POINTWISE_GEN_INDEX, {scores}, integers, CUDNN_DATA_INT32, 2);
    const Id column = call(CUDNN_POINTWISE_GEN_INDEX, {scores}, integers, CUDNN_DATA_INT32, 3);
    const Id is_query = call(CUDNN_POINTWISE_CMP_LT, {row, kQueryLengths}, booleans, CUDNN_DATA_BOOLEAN);
    const Id is_key = call(CUDNN_POINTWISE_CMP_LT, {column, kKeyLengths}, booleans, CUDNN_DATA_BOOLEAN);
    const Id is_there = call(CUDNN_POINTWISE_LOGICAL_AND, {is_query, is_key}, booleans, CUDNN_DATA_BOOLEAN);
    return call(CUDNN_POINTWISE_BINARY_SELECT, {scores, infinity_, is_there}, square());
  }

  Id sums_of_rows(Id d_o, Id o) {
    const std::int64_t row = key_.heads * key_.head_width;
    const Id products = call(CUDNN_POINTWISE_MUL, {d_o, o},
                             {.extents = {key_.segments, key_.heads, key_.queries, key_.head_width},
                              .strides = {key_.queries * row, key_.queries * key_.head_width, row, 1}});
    const Id sums = graph_.add(column());
    graph_.reduce(CUDNN_REDUCE_TENSOR_ADD, products, sums);
    const Id deltas = row_numbers(kDeltas), one = value(kOne);
    graph_.pointwise(CUDNN_POINTWISE_MUL, std::array{sums, one}, deltas);
    return deltas;
  }

  // [.., keys, queries], in bf16 for the tensor cores.
  Id turned(Id scores) {
    const std::int64_t area = key_.queries * key_.keys;
    const Id y = graph_.add({.type = CUDNN_DATA_BFLOAT16,
                             .extents = {key_.segments, key_.heads, key_.keys, key_.queries},
                             .strides = {key_.heads * area, area, 1, key_.keys}});
    graph_.reshape(scores, y);
    return y;
  }

  // dq = slopes · k. Exactly, it is one product over scores in memory; else cuDNN adds up parts as they come, in f32.
  void put_query_gradient(Id slopes) {
    auto k = matrix(kKey, key_.keys);
    k.id = 0;
    const Id rows_of_k = graph_.add(k);
    graph_.reshape(kKey, rows_of_k);
    const TrueExtents extents{.m = query_lengths(), .k = key_lengths()};
    const Id dq = rows(kQueryGradient, key_.queries);
    if (key_.exact) return graph_.matmul(slopes, rows_of_k, dq, extents);
    const Id accumulator = graph_.add(matrix(kQueryAccumulator, key_.queries, CUDNN_DATA_FLOAT));
    graph_.matmul(slopes, rows_of_k, accumulator, extents);
    graph_.pointwise(CUDNN_POINTWISE_IDENTITY, std::array{accumulator}, dq);
  }

  const AttentionKey& key_;
  CudnnGraph graph_;
  Id scale_ = 0, infinity_ = 0;
};

}  // namespace

CudnnGraph attention_graph(const AttentionKey& key) {
  Builder builder(key);
  return key.backward ? builder.backward() : builder.forward();
}

const CudnnPlan* AttentionPlans::of(const AttentionKey& key) {
  if (const auto at = known_.find(key); at != known_.end()) return at->second.get();
  std::unique_ptr<CudnnPlan> plan;
  try {
    if (!device_) device_ = device_description(index_);
    plan = std::make_unique<CudnnPlan>(attention_graph(key), *device_);
  } catch (const Refused&) {  // remembered as none
  }
  return known_.emplace(key, std::move(plan)).first->second.get();
}

std::size_t AttentionPlans::refused() const {
  return static_cast<std::size_t>(
      std::count_if(known_.begin(), known_.end(), [](const auto& one) { return one.second == nullptr; }));
}

}  // namespace strata::cuda
