// SPDX-License-Identifier: Apache-2.0
//
// A communication call as data: what a rank gives, what it gets, from or to whom. The typed methods of Communicator
// fill one in; transports and wrappers (watchdog, tracing, checking) see only this, which is why a wrapper is one short
// class. Copying a Call copies tensor handles.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/runtime/stream.hpp"
#include "strata/tensor/tensor.hpp"

namespace strata::comm {

enum class CallKind : std::uint8_t {
  all_reduce,
  reduce,
  reduce_scatter,
  all_gather,
  broadcast,
  all_to_all,
  send,
  recv,
  barrier
};
enum class Reduction : std::uint8_t { sum, max, min };

std::string_view name_of(CallKind kind);
std::string_view name_of(Reduction reduction);
inline bool is_collective(CallKind kind) { return kind != CallKind::send && kind != CallKind::recv; }

struct Call {
  CallKind kind = CallKind::barrier;
  Tensor input{};   // what this rank gives; undefined where it gives nothing
  Tensor output{};  // what it gets; undefined where it gets nothing. The same view as input: in place
  Reduction reduction = Reduction::sum;
  int peer = 0;  // root, destination or source
  int tag = 0;
  // Rows (of the first axis) a rank. all_gather: given by each; reduce_scatter: got by each; all_to_all: sent to each.
  // Filled in by `check_call` where the caller left them equal.
  std::vector<std::int64_t> counts{};
  std::vector<std::int64_t> recv_counts{};  // all_to_all: got from each
  Stream stream{};
  std::int64_t number = 0;  // of this rank's calls on this communicator, from 0; set when the call is submitted

  std::int64_t bytes() const;  // of the larger of input and output
  std::string str() const;     // "all_reduce sum f32[3, 4]"
};

// The first row of each rank and, last, their number: [0, counts[0], counts[0] + counts[1], ...].
std::vector<std::int64_t> row_offsets(std::span<const std::int64_t> counts);
// Elements of one row: the product of all extents but the first.
std::int64_t row_elements(const Tensor& tensor);

// Does this call write its output on this rank? A root that broadcasts, and those whose values are reduced elsewhere,
// only read.
bool writes_output(const Call& call, int rank);

// What a single rank can see of a call: tensors are there, dense, on a device that is served, shapes and types fit each
// other and the group, input and output are one view, the documented in-place slice, or apart. Fills in counts. Throws
// usage errors; nothing has moved yet.
void check_call(Call& call, int rank, int size);

// What all ranks of a group must say alike ("all_gather f32 rows of [4], counts (2, 0, 3)"), for those who compare.
// Needs a checked call.
std::string agreement(const Call& call);
// Compares the calls of all ranks (index = rank), all_to_all counts pair by pair included. Empty when they fit
// together, otherwise a sentence that names the ranks and what each called.
std::string disagreement(std::span<const Call> calls);

}  // namespace strata::comm
