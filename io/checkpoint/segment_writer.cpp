// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/segment_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "io/hdf5/checksum.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kMostAtOnce = 256;  // segments of a round: bounds what one rank may have to send

Tensor bytes_tensor(std::vector<std::byte>& bytes) {
  return Tensor::borrow(bytes.data(), DType::u8, {static_cast<std::int64_t>(bytes.size())});
}

}  // namespace

SegmentWriter::SegmentWriter(comm::Communicator& comm, const CheckpointTable& table, const Holdings& holdings,
                             HostEntries& mine, SharedFile* file)
    : comm_(comm),
      table_(table),
      holdings_(holdings),
      mine_(mine),
      file_(file),
      ranks_(static_cast<std::size_t>(comm.size())),
      segments_(segments_of(table)) {}

bool SegmentWriter::has_segments(const CheckpointTable& table, const comm::Communicator& comm) {
  return segments_of(table).size() > static_cast<std::size_t>(comm.rank());
}

template <class F>
void SegmentWriter::attempt(const F& work) {
  if (failure_) return;
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::communication || error.kind() == ErrorKind::timeout) throw;
    failure_ = std::current_exception();
  } catch (const std::exception&) {
    failure_ = std::current_exception();
  }
}

// By rank, then by part.
std::vector<SegmentWriter::Gift> SegmentWriter::gifts_to(const Segment& segment, int to) const {
  std::vector<Gift> gifts;
  for (const auto& part : segment.parts)
    for (const auto& source : holdings_.tensors()[part.tensor].sources)
      if (source.piece.meets(part.begin, part.end)) gifts.push_back({holdings_.giver(source, to), &part, &source});
  std::ranges::stable_sort(gifts, {}, &Gift::from);
  return gifts;
}

bool SegmentWriter::needs_exchange(const Round& round) const {
  for (std::size_t i = round.begin; i < round.end; ++i)
    for (const auto& gift : gifts_to(segments_[i], owner(i)))
      if (gift.from != owner(i)) return true;
  return false;
}

std::vector<SegmentWriter::PartSum> SegmentWriter::write_all() {
  const std::size_t step = std::min(ranks_, kMostAtOnce);
  for (Round round{0, 0}; round.begin < segments_.size(); round.begin += step) {
    round.end = std::min(round.begin + step, segments_.size());
    std::vector<std::byte> received;
    if (ranks_ > 1 && needs_exchange(round)) received = exchange(round);
    for (std::size_t i = round.begin; i < round.end; ++i)
      if (owner(i) == comm_.rank()) attempt([&] { write_own(segments_[i], received); });
    attempt([&] { mine_.drop_before(segments_[round.end - 1].parts.back().tensor); });
  }
  if (failure_) std::rethrow_exception(failure_);
  return std::move(sums_);
}

// Each rank's block of what I send is the runs of its segment that I give it, in order.
std::vector<std::byte> SegmentWriter::exchange(const Round& round) {
  comm::Counts sent(ranks_, 0), got(ranks_, 0);
  std::vector<std::byte> given;
  std::size_t expected = 0;
  std::vector<std::size_t> order;  // by owner
  for (std::size_t i = round.begin; i < round.end; ++i) order.push_back(i);
  std::ranges::sort(order, {}, [&](std::size_t i) { return owner(i); });
  for (const auto i : order) {
    const auto before = given.size();
    for (const auto& gift : gifts_to(segments_[i], owner(i))) {
      if (owner(i) == comm_.rank() && gift.from != comm_.rank())
        gift.runs(element_of(*gift.part), [&](std::int64_t, std::int64_t, std::size_t bytes) {
          got[static_cast<std::size_t>(gift.from)] += static_cast<std::int64_t>(bytes);
          expected += bytes;
        });
      if (owner(i) != comm_.rank() && gift.from == comm_.rank()) give(gift, given);
    }
    sent[static_cast<std::size_t>(owner(i))] = static_cast<std::int64_t>(given.size() - before);
  }
  std::vector<std::byte> received(expected);
  comm_.all_to_all(bytes_tensor(given), sent, bytes_tensor(received), got).wait();
  return received;
}

// The others count on its length whatever happens here.
void SegmentWriter::give(const Gift& gift, std::vector<std::byte>& into) {
  const std::size_t element = element_of(*gift.part);
  gift.runs(element, [&](std::int64_t, std::int64_t local, std::size_t bytes) {
    const auto at = into.size();
    into.resize(at + bytes);
    attempt([&] {
      std::memcpy(into.data() + at, mine_.bytes(gift.part->tensor) + static_cast<std::size_t>(local) * element, bytes);
    });
  });
}

// One part, all of it one run of my own memory.
const std::byte* SegmentWriter::in_place(const Segment& segment) {
  if (segment.parts.size() != 1) return nullptr;
  const auto gifts = gifts_to(segment, comm_.rank());
  if (gifts.size() != 1 || gifts.front().from != comm_.rank()) return nullptr;
  const Part& part = segment.parts.front();
  const std::byte* found = nullptr;
  gifts.front().runs(element_of(part), [&](std::int64_t, std::int64_t local, std::size_t bytes) {
    if (bytes == part.bytes) found = mine_.bytes(part.tensor) + static_cast<std::size_t>(local) * element_of(part);
  });
  return found;
}

void SegmentWriter::write_own(const Segment& segment, const std::vector<std::byte>& received) {
  const std::byte* bytes = in_place(segment);
  if (bytes == nullptr) {
    gather(segment, received);
    bytes = buffer_.data();
  }
  for (const auto& part : segment.parts)
    sums_.emplace_back(part.number, checksum_of({bytes + (part.at - segment.at), part.bytes}));
  file_->write(segment.at, {bytes, segment.bytes});
}

void SegmentWriter::gather(const Segment& segment, const std::vector<std::byte>& received) {
  buffer_.assign(segment.bytes, std::byte{0});
  std::vector<std::vector<Run>> runs(segment.parts.size());
  std::size_t next = 0;  // in what was received, rank after rank
  for (const auto& gift : gifts_to(segment, comm_.rank())) {
    const Part& part = *gift.part;
    const std::size_t element = element_of(part);
    const bool own = gift.from == comm_.rank();
    gift.runs(element, [&](std::int64_t global, std::int64_t local, std::size_t bytes) {
      const std::byte* source =
          own ? mine_.bytes(part.tensor) + static_cast<std::size_t>(local) * element : received.data() + next;
      if (!own) next += bytes;
      const auto at = part.at - segment.at + static_cast<std::size_t>(global - part.begin) * element;
      std::memcpy(buffer_.data() + at, source, bytes);
      runs[static_cast<std::size_t>(&part - segment.parts.data())].push_back(
          {global, static_cast<std::int64_t>(bytes / element)});
    });
  }
  for (std::size_t i = 0; i < runs.size(); ++i) check_tiled(segment.parts[i], runs[i]);
}

void SegmentWriter::check_tiled(const Part& part, std::vector<Run>& runs) const {
  if (!std::ranges::is_sorted(runs)) std::ranges::sort(runs);
  std::int64_t next = part.begin;
  for (const auto& [global, count] : runs) {
    STRATA_CHECK(
        global == next, usage, "checkpoint",
        fmt::format("element {} of {} is held {}", std::min(global, next), printable(table_.tensors[part.tensor].name),
                    global < next ? "in different parts" : "by nobody"),
        "placements of different ranks are equal or apart, and leave nothing out");
    next += count;
  }
  STRATA_CHECK(next == part.end, usage, "checkpoint",
               fmt::format("element {} of {} is held by nobody", next, printable(table_.tensors[part.tensor].name)));
}

}  // namespace strata::io
