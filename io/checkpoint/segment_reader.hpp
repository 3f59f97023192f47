// SPDX-License-Identifier: Apache-2.0
//
// Private to the reader: segment j of what is wanted is read and checked by rank j mod ranks and goes to all by a
// broadcast, so that the file is read once however many ranks there are. A damaged segment stops all ranks after its
// round.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/checkpoint/table.hpp"
#include "strata/comm/communicator.hpp"
#include "strata/io/file.hpp"

namespace strata::io {

// Reads and checks a segment; data error that names the tensor whose part is damaged.
void read_segment(const InputFile& file, const CheckpointTable& table, const Segment& segment,
                  std::span<std::byte> into);

// Marks the tensors (one byte each) whose parts in this segment are damaged. `buffer` holds kPartBytes.
void mark_damaged(const InputFile& file, const CheckpointTable& table, const Segment& segment,
                  std::span<std::byte> buffer, std::vector<std::uint8_t>& damaged);

// Collective. Calls `take` with each segment's bytes, in order, on every rank. `in_place` may offer memory for a
// segment when there is one rank: it is read there, and `take` is not called. Failures are thrown on the rank that has
// them; others return false.
bool read_segments(comm::Communicator& comm, const InputFile& file, const CheckpointTable& table,
                   const std::vector<Segment>& segments, const std::function<std::byte*(const Segment&)>& in_place,
                   const std::function<void(const Segment&, std::span<const std::byte>)>& take);

}  // namespace strata::io
