// SPDX-License-Identifier: Apache-2.0
//
// Private to the writer: segment j of the file belongs to rank j mod ranks, which gathers its elements, sums them and
// writes them in one call. In each round a rank has one segment at most; ranks exchange what others hold of theirs in
// one all_to_all a round, and nothing at all in rounds where everybody holds its own.
#pragma once

#include <exception>
#include <utility>
#include <vector>

#include "io/checkpoint/holdings.hpp"
#include "io/checkpoint/host_entries.hpp"
#include "io/hdf5/shared_file.hpp"

namespace strata::io {

class SegmentWriter {
 public:
  using PartSum = std::pair<std::uint64_t, std::uint64_t>;  // number of the part, its checksum

  // `file` may be null on ranks without a segment.
  SegmentWriter(comm::Communicator& comm, const CheckpointTable& table, const Holdings& holdings, HostEntries& mine,
                SharedFile* file);

  // Collective. Failures of this rank (a full disk) are thrown after the last round, so that no rank is left waiting.
  std::vector<PartSum> write_all();
  static bool has_segments(const CheckpointTable& table, const comm::Communicator& comm);

 private:
  using Run = std::pair<std::int64_t, std::int64_t>;  // its first element in the global tensor, how many
  struct Round {
    std::size_t begin = 0, end = 0;  // segments
  };

  // What one rank gives of a part to the owner of its segment.
  struct Gift {
    int from = 0;
    const Part* part = nullptr;
    const Holdings::Source* source = nullptr;

    // Calls f(global, local, bytes of the run) for its runs.
    template <class F>
    void runs(std::size_t element, const F& f) const {
      source->piece.runs(part->begin, part->end, [&](std::int64_t global, std::int64_t local, std::int64_t count) {
        f(global, local, static_cast<std::size_t>(count) * element);
      });
    }
  };

  std::size_t element_of(const Part& part) const { return size_of(table_.tensors[part.tensor].dtype); }
  int owner(std::size_t segment) const { return static_cast<int>(segment % ranks_); }
  bool needs_exchange(const Round& round) const;
  std::vector<std::byte> exchange(const Round& round);
  void write_own(const Segment& segment, const std::vector<std::byte>& received);
  const std::byte* in_place(const Segment& segment);  // null: must be gathered
  void gather(const Segment& segment, const std::vector<std::byte>& received);
  void check_tiled(const Part& part, std::vector<Run>& runs) const;
  void give(const Gift& gift, std::vector<std::byte>& into);
  std::vector<Gift> gifts_to(const Segment& segment, int to) const;
  template <class F>
  void attempt(const F& work);  // keeps the first failure

  comm::Communicator& comm_;
  const CheckpointTable& table_;
  const Holdings& holdings_;
  HostEntries& mine_;
  SharedFile* file_;
  std::size_t ranks_;
  std::vector<Segment> segments_;
  std::vector<std::byte> buffer_;
  std::vector<PartSum> sums_;
  std::exception_ptr failure_;
};

}  // namespace strata::io
