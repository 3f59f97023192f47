// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/host_collectives.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

// Sums are kept in Sum and stored as T: bf16 in float, signed integers in unsigned ones, where wrapping is defined.
template <class T>
struct SumOf {
  using type = T;
};
template <>
struct SumOf<BFloat16> {
  using type = float;
};
template <>
struct SumOf<std::int32_t> {
  using type = std::uint32_t;
};
template <>
struct SumOf<std::int64_t> {
  using type = std::uint64_t;
};

template <class T>
struct Sum {
  using Acc = typename SumOf<T>::type;
  static Acc combine(Acc a, T b) { return static_cast<Acc>(a + static_cast<Acc>(b)); }
};
template <class T>
struct Max {
  using Acc = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;
  static Acc combine(Acc a, T b) { return std::max(a, static_cast<Acc>(b)); }
};
template <class T>
struct Min {
  using Acc = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;
  static Acc combine(Acc a, T b) { return std::min(a, static_cast<Acc>(b)); }
};

// Elements [begin, end) of all inputs, combined, to element 0 onward of the outputs. A chunk is read from all inputs
// before it is written to any output, which makes "in place" safe as long as output chunks do not lie behind their
// inputs.
template <class T, class Op>
void reduce_range(std::span<const T* const> inputs, std::int64_t begin, std::int64_t end, std::span<T* const> outputs) {
  constexpr std::int64_t kChunk = 1024;
  std::array<typename Op::Acc, kChunk> sum;
  for (std::int64_t first = begin; first < end; first += kChunk) {
    const auto n = static_cast<std::size_t>(std::min(kChunk, end - first));
    for (std::size_t i = 0; i < n; ++i)
      sum[i] = static_cast<typename Op::Acc>(inputs[0][first + static_cast<std::int64_t>(i)]);
    for (const T* input : inputs.subspan(1)) {
      for (std::size_t i = 0; i < n; ++i) sum[i] = Op::combine(sum[i], input[first + static_cast<std::int64_t>(i)]);
    }
    for (T* output : outputs) {
      for (std::size_t i = 0; i < n; ++i) output[first - begin + static_cast<std::int64_t>(i)] = static_cast<T>(sum[i]);
    }
  }
}

template <class T>
void reduce_range(Reduction reduction, std::span<const T* const> inputs, std::int64_t begin, std::int64_t end,
                  std::span<T* const> outputs) {
  switch (reduction) {
    case Reduction::sum: return reduce_range<T, Sum<T>>(inputs, begin, end, outputs);
    case Reduction::max: return reduce_range<T, Max<T>>(inputs, begin, end, outputs);
    case Reduction::min: return reduce_range<T, Min<T>>(inputs, begin, end, outputs);
  }
}

template <class T>
void reduce_typed(std::span<const Call> calls) {
  std::vector<const T*> inputs;
  std::vector<T*> outputs;
  for (const auto& call : calls) {
    inputs.push_back(call.input.data<T>());
    outputs.push_back(call.output.data<T>());
  }
  const Call& any = calls.front();
  const auto root = static_cast<std::size_t>(any.peer);
  if (any.kind == CallKind::all_reduce) return reduce_range<T>(any.reduction, inputs, 0, any.input.numel(), outputs);
  if (any.kind == CallKind::reduce)
    return reduce_range<T>(any.reduction, inputs, 0, any.input.numel(), std::span(outputs).subspan(root, 1));
  const auto offsets = row_offsets(any.counts);
  const auto row = row_elements(any.input);
  for (std::size_t r = 0; r < calls.size(); ++r) {  // reduce_scatter
    reduce_range<T>(any.reduction, inputs, offsets[r] * row, offsets[r + 1] * row, std::span(outputs).subspan(r, 1));
  }
}

void reduce_any(std::span<const Call> calls) {
  switch (calls.front().input.dtype()) {
    case DType::f32: return reduce_typed<float>(calls);
    case DType::bf16: return reduce_typed<BFloat16>(calls);
    case DType::f64: return reduce_typed<double>(calls);
    case DType::i32: return reduce_typed<std::int32_t>(calls);
    case DType::i64: return reduce_typed<std::int64_t>(calls);
    case DType::u8: return reduce_typed<std::uint8_t>(calls);
    case DType::i16: return reduce_typed<std::int16_t>(calls);
  }
}

void gather(std::span<const Call> calls) {
  const auto offsets = row_offsets(calls.front().counts);
  for (const auto& to : calls) {
    for (std::size_t r = 0; r < calls.size(); ++r)
      copy_on_host(to.output.slice(0, offsets[r], offsets[r + 1]), calls[r].input);
  }
}

void exchange(std::span<const Call> calls) {
  std::vector<std::vector<std::int64_t>> sent, received;
  for (const auto& call : calls) {
    sent.push_back(row_offsets(call.counts));
    received.push_back(row_offsets(call.recv_counts));
  }
  for (std::size_t from = 0; from < calls.size(); ++from) {
    for (std::size_t to = 0; to < calls.size(); ++to) {
      copy_on_host(calls[to].output.slice(0, received[to][from], received[to][from + 1]),
                   calls[from].input.slice(0, sent[from][to], sent[from][to + 1]));
    }
  }
}

}  // namespace

void copy_on_host(const Tensor& to, const Tensor& from) {
  STRATA_DCHECK(to.bytes() == from.bytes());
  if (to.bytes() > 0 && to.raw() != from.raw()) std::memcpy(to.raw(), from.raw(), to.bytes());
}

void perform_on_host(std::span<const Call> calls) {
  switch (calls.front().kind) {
    case CallKind::all_reduce:
    case CallKind::reduce:
    case CallKind::reduce_scatter: return reduce_any(calls);
    case CallKind::all_gather: return gather(calls);
    case CallKind::all_to_all: return exchange(calls);
    case CallKind::broadcast:
      for (const auto& call : calls)
        copy_on_host(call.output, calls[static_cast<std::size_t>(calls.front().peer)].input);
      return;
    case CallKind::barrier: return;
    case CallKind::send:
    case CallKind::recv: fail(ErrorKind::internal, "comm", "send and recv are no collectives");
  }
}

}  // namespace strata::comm
