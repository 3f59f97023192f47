// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl_calls.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>

#include "parallel/comm/nccl_check.hpp"

namespace strata::comm {
namespace {

bool reduces(CallKind kind) {
  return kind == CallKind::all_reduce || kind == CallKind::reduce || kind == CallKind::reduce_scatter;
}

ncclDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return ncclFloat32;
    case DType::bf16: return ncclBfloat16;
    case DType::f64: return ncclFloat64;
    case DType::i32: return ncclInt32;
    case DType::i64: return ncclInt64;
    case DType::u8: return ncclUint8;
    case DType::i16: break;
  }
  fail(ErrorKind::internal, "nccl", fmt::format("NCCL does not add {}", name_of(dtype)));
}

ncclRedOp_t op_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum: return ncclSum;
    case Reduction::max: return ncclMax;
    case Reduction::min: return ncclMin;
  }
  fail(ErrorKind::internal, "nccl", "a reduction that NCCL has not");
}

bool are_equal(const std::vector<std::int64_t>& counts) {
  return std::ranges::all_of(counts, [&](std::int64_t count) { return count == counts.front(); });
}

// What only moves is moved as bytes.
constexpr ncclDataType_t kBytes = ncclUint8;

std::size_t elements(const Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

void copy(const Tensor& to, const Tensor& from, const NcclTarget& target) {
  if (from.bytes() > 0 && to.raw() != from.raw())
    target.backend.copy(to.raw(), to.device(), from.raw(), from.device(), from.bytes(), target.stream);
}

Tensor part(const Tensor& whole, const std::vector<std::int64_t>& offsets, int rank) {
  const auto r = static_cast<std::size_t>(rank);
  return whole.slice(0, offsets[r], offsets[r + 1]);
}

void all_gather(const Call& call, const NcclTarget& to) {
  if (are_equal(call.counts)) {
    STRATA_NCCL(ncclAllGather(call.input.raw(), call.output.raw(), call.input.bytes(), kBytes, to.comm, to.native));
    return;
  }
  const auto offsets = row_offsets(call.counts);
  for (int r = 0; r < to.size; ++r) {
    const Tensor rows = part(call.output, offsets, r);
    if (rows.bytes() == 0) continue;
    const void* from = r == to.rank ? call.input.raw() : rows.raw();
    STRATA_NCCL(ncclBroadcast(from, rows.raw(), rows.bytes(), kBytes, r, to.comm, to.native));
  }
}

void reduce_scatter(const Call& call, const NcclTarget& to) {
  const auto type = type_of(call.input.dtype());
  const auto op = op_of(call.reduction);
  if (are_equal(call.counts)) {
    STRATA_NCCL(
        ncclReduceScatter(call.input.raw(), call.output.raw(), elements(call.output), type, op, to.comm, to.native));
    return;
  }
  const auto offsets = row_offsets(call.counts);
  for (int r = 0; r < to.size; ++r) {
    const Tensor rows = part(call.input, offsets, r);
    if (rows.bytes() == 0) continue;
    void* result = r == to.rank ? call.output.raw() : nullptr;
    STRATA_NCCL(ncclReduce(rows.raw(), result, elements(rows), type, op, r, to.comm, to.native));
  }
}

void all_to_all(const Call& call, const NcclTarget& to) {
  const auto sent = row_offsets(call.counts), received = row_offsets(call.recv_counts);
  for (int r = 0; r < to.size; ++r) {
    const Tensor give = part(call.input, sent, r), get = part(call.output, received, r);
    if (r == to.rank) {
      copy(get, give, to);
      continue;
    }
    if (give.bytes() > 0) STRATA_NCCL(ncclSend(give.raw(), give.bytes(), kBytes, r, to.comm, to.native));
    if (get.bytes() > 0) STRATA_NCCL(ncclRecv(get.raw(), get.bytes(), kBytes, r, to.comm, to.native));
  }
}

// A group of one: nothing but a copy is left of any call.
void issue_alone(const Call& call, const NcclTarget& to) { copy(call.output, call.input, to); }

}  // namespace

void check_nccl_can(const Call& call, int rank) {
  const auto name = name_of(call.kind);
  STRATA_CHECK(
      !call.input.defined() || !call.output.defined() || call.input.device() == call.output.device(), usage, name,
      fmt::format("the input lies on {}, the output on {}", call.input.device().str(), call.output.device().str()),
      "copy one of them first");
  STRATA_CHECK(!reduces(call.kind) || call.input.dtype() != DType::i16, usage, name,
               fmt::format("NCCL has no {} of {}", name_of(call.reduction), name_of(call.input.dtype())),
               "convert it, or exchange it on the host");
  STRATA_CHECK(call.tag == 0, usage, name, fmt::format("tag {} on a device tensor: NCCL has no tags", call.tag),
               "send in the order in which the other side receives, with tag 0");
  if (call.kind != CallKind::all_to_all) return;
  const auto me = static_cast<std::size_t>(rank);
  STRATA_CHECK(
      call.counts[me] == call.recv_counts[me], usage, name,
      fmt::format("rank {} sends itself {} rows, but expects {}", rank, call.counts[me], call.recv_counts[me]));
}

void issue(const Call& call, const NcclTarget& to) {
  if (to.comm == nullptr) return issue_alone(call, to);
  const Tensor &in = call.input, &out = call.output;
  switch (call.kind) {
    case CallKind::all_reduce:
      STRATA_NCCL(ncclAllReduce(in.raw(), out.raw(), elements(in), type_of(in.dtype()), op_of(call.reduction), to.comm,
                                to.native));
      return;
    case CallKind::reduce:
      STRATA_NCCL(ncclReduce(in.raw(), to.rank == call.peer ? out.raw() : nullptr, elements(in), type_of(in.dtype()),
                             op_of(call.reduction), call.peer, to.comm, to.native));
      return;
    case CallKind::reduce_scatter: return reduce_scatter(call, to);
    case CallKind::all_gather: return all_gather(call, to);
    case CallKind::broadcast:
      STRATA_NCCL(ncclBroadcast(in.raw(), out.raw(), in.bytes(), kBytes, call.peer, to.comm, to.native));
      return;
    case CallKind::all_to_all: return all_to_all(call, to);
    case CallKind::send:
      if (in.bytes() > 0) STRATA_NCCL(ncclSend(in.raw(), in.bytes(), kBytes, call.peer, to.comm, to.native));
      return;
    case CallKind::recv:
      if (out.bytes() > 0) STRATA_NCCL(ncclRecv(out.raw(), out.bytes(), kBytes, call.peer, to.comm, to.native));
      return;
    case CallKind::barrier: return;  // has no tensors: the carrier's
  }
}

}  // namespace strata::comm
