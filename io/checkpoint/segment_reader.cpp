// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "io/hdf5/checksum.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kMostAtOnce = 16;  // segments in memory

Tensor bytes_tensor(std::byte* bytes, std::size_t count) {
  return Tensor::borrow(bytes, DType::u8, {static_cast<std::int64_t>(count)});
}

bool is_good(const CheckpointTable& table, const Segment& segment, const Part& part, std::span<const std::byte> bytes) {
  return checksum_of(bytes.subspan(part.at - segment.at, part.bytes)) == table.checksums[part.number];
}

// The bytes and one more: was it read well?
void read_with_verdict(const InputFile& file, const CheckpointTable& table, const Segment& segment,
                       std::vector<std::byte>& buffer, std::exception_ptr& failure) {
  buffer.back() = std::byte{0};
  try {
    read_segment(file, table, segment, std::span(buffer).first(segment.bytes));
    buffer.back() = std::byte{1};
  } catch (const std::exception&) {
    if (!failure) failure = std::current_exception();
  }
}

}  // namespace

void mark_damaged(const InputFile& file, const CheckpointTable& table, const Segment& segment,
                  std::span<std::byte> buffer, std::vector<std::uint8_t>& damaged) {
  const auto bytes = buffer.first(segment.bytes);
  file.read(segment.at, bytes);
  for (const auto& part : segment.parts)
    if (!is_good(table, segment, part, bytes)) damaged[part.tensor] = 1;
}

void read_segment(const InputFile& file, const CheckpointTable& table, const Segment& segment,
                  std::span<std::byte> into) {
  file.read(segment.at, into);
  for (const auto& part : segment.parts)
    STRATA_CHECK(
        is_good(table, segment, part, into), data, "checkpoint",
        fmt::format("{}: {} is damaged: the checksum of its elements [{}, {}) is wrong", printable(file.path(), 400),
                    printable(table.tensors[part.tensor].name), part.begin, part.end));
}

bool read_segments(comm::Communicator& comm, const InputFile& file, const CheckpointTable& table,
                   const std::vector<Segment>& segments, const std::function<std::byte*(const Segment&)>& in_place,
                   const std::function<void(const Segment&, std::span<const std::byte>)>& take) {
  const auto ranks = static_cast<std::size_t>(comm.size()), me = static_cast<std::size_t>(comm.rank());
  const std::size_t step = ranks == 1 ? 1 : kMostAtOnce;
  std::vector<std::vector<std::byte>> buffers(step);
  std::exception_ptr failure;
  bool good = true;
  for (std::size_t begin = 0; begin < segments.size() && good; begin += step) {
    const std::size_t end = std::min(begin + step, segments.size());
    if (ranks == 1) {
      if (std::byte* place = in_place(segments[begin])) {
        read_segment(file, table, segments[begin], {place, segments[begin].bytes});
        continue;
      }
    }
    std::vector<Event> events;
    for (std::size_t i = begin; i < end; ++i) {
      auto& buffer = buffers[i - begin];
      buffer.resize(segments[i].bytes + 1);
      if (i % ranks == me) read_with_verdict(file, table, segments[i], buffer, failure);
    }
    if (ranks > 1) {
      const auto together = comm.batch();
      for (std::size_t i = begin; i < end; ++i)
        events.push_back(comm.broadcast(bytes_tensor(buffers[i - begin].data(), buffers[i - begin].size()),
                                        static_cast<int>(i % ranks)));
    }
    for (auto& event : events) event.wait();
    for (std::size_t i = begin; i < end; ++i) {
      const auto& buffer = buffers[i - begin];
      good = good && buffer.back() == std::byte{1};
      if (good) take(segments[i], std::span(buffer).first(segments[i].bytes));
    }
  }
  if (failure) std::rethrow_exception(failure);
  return good;
}

}  // namespace strata::io
