// SPDX-License-Identifier: Apache-2.0
//
// Which way of reading is the fastest on this file system with these ranks. Each rank reads scans of its own, drawn
// over the whole set and different ones for each way, so that none finds what another has fetched.
#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "io/shard/voxel_reader.hpp"
#include "strata/comm/together.hpp"

namespace strata::io {
namespace {

constexpr std::int64_t kSmallSet = std::int64_t{256} << 20;   // bytes; not worth a probe
constexpr std::int64_t kProbeBytes = std::int64_t{32} << 20;  // a rank and a way
constexpr std::int64_t kMostScans = 16;
// Other ways bind the loader to one thread: they must be this much faster.
constexpr double kClearlyFaster = 1.5;

std::int64_t total_bytes(const SetTables& tables) {
  std::int64_t bytes = 0;
  for (const auto& header : tables.headers()) bytes += static_cast<std::int64_t>(header.voxels_bytes);
  return bytes;
}

// Spread over the set: rank r of n and way w of 3 take studies that no other takes, as long as there are enough.
std::vector<data::ReadRequest> sample(const SetTables& tables, std::int64_t first, std::int64_t stride,
                                      std::vector<std::byte>& memory) {
  const auto& grid = tables.description().grid;
  const auto scan_bytes = static_cast<std::size_t>(grid.scan_bytes());
  const std::int64_t count = std::clamp<std::int64_t>(kProbeBytes / grid.scan_bytes(), 1, kMostScans);
  memory.resize(static_cast<std::size_t>(count) * scan_bytes);
  std::vector<data::ReadRequest> requests;
  for (std::int64_t i = 0; i < count; ++i)
    requests.push_back({.study = (first + i * stride) % tables.studies(),
                        .scan = 0,
                        .first_slice = 0,
                        .slices = grid.extents[0],
                        .into = std::span(memory).subspan(static_cast<std::size_t>(i) * scan_bytes, scan_bytes)});
  return requests;
}

// Seconds of the slowest rank.
double time_together(comm::Communicator& comm, const VoxelReader& reader, std::span<const data::ReadRequest> requests) {
  comm.barrier().wait();
  const auto begin = std::chrono::steady_clock::now();
  comm::together(comm, [&] { reader.read(requests); });
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  comm.all_reduce(Tensor::borrow(&seconds, DType::f64, {1}), comm::Reduction::max).wait();
  return seconds;
}

}  // namespace

ReadMode probe_readers(const SetPlace& place, comm::Communicator& comm) {
  const SetTables& tables = *place.tables;
  if (total_bytes(tables) < kSmallSet) return ReadMode::direct;
  const bool over_mpi = comm.size() > 1 && comm.native_handle("MPI_Comm") != nullptr;
  constexpr std::int64_t kWays = 3;
  const std::int64_t takers = kWays * comm.size();
  const std::int64_t stride = std::max<std::int64_t>(takers, tables.studies() / kMostScans / takers * takers);
  std::array<double, kWays> seconds{};
  seconds.fill(std::numeric_limits<double>::infinity());
  for (std::int64_t way = 0; way < (over_mpi ? kWays : kWays - 1); ++way) {
    const auto reader = way == 0   ? make_direct_reader(place)
                        : way == 1 ? make_independent_reader(place)
                                   : make_collective_reader(place, comm);
    std::vector<std::byte> memory;
    const auto requests = sample(tables, way * comm.size() + comm.rank(), stride, memory);
    seconds[static_cast<std::size_t>(way)] = time_together(comm, *reader, requests);
  }
  const double other = std::min(seconds[1], seconds[2]);
  if (seconds[0] <= kClearlyFaster * other) return ReadMode::direct;
  return seconds[1] <= seconds[2] ? ReadMode::independent : ReadMode::collective;
}

}  // namespace strata::io
