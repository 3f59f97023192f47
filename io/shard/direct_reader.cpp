// SPDX-License-Identifier: Apache-2.0
//
// pread at the addresses of the voxels. What lies side by side in a file is read by one call.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "io/shard/recent.hpp"
#include "io/shard/voxel_reader.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

// One run of bytes in a file.
struct Piece {
  std::int64_t shard;
  std::uint64_t at;
  std::span<std::byte> into;
  std::int64_t study, scan;
};

class DirectReader final : public VoxelReader {
 public:
  explicit DirectReader(const SetPlace& place)
      : place_(place), files_(place.open_files, [this](std::int64_t shard) { return open(shard); }) {}

  void read(std::span<const data::ReadRequest> requests) const override {
    std::vector<Piece> pieces;
    for (const auto& request : requests) add_pieces(request, pieces);
    std::ranges::sort(
        pieces, [](const Piece& a, const Piece& b) { return std::pair(a.shard, a.at) < std::pair(b.shard, b.at); });
    for (std::size_t first = 0; first < pieces.size();) first = read_run(pieces, first);
  }

 private:
  std::shared_ptr<const InputFile> open(std::int64_t shard) const {
    auto file = std::make_shared<const InputFile>("shard", place_.path(shard));
    const auto expected = place_.tables->headers()[static_cast<std::size_t>(shard)].bytes;
    STRATA_CHECK(file->size() == expected, data, "shard",
                 fmt::format("{} has {} bytes, it had {} when the set was opened", printable(file->path(), 400),
                             file->size(), expected),
                 "the file was cut off or changed: copy it again, or ingest this shard again");
    return file;
  }

  // Channels of a whole scan lie one behind the other; of a part they do not.
  void add_pieces(const data::ReadRequest& request, std::vector<Piece>& pieces) const {
    const auto& grid = place_.tables->description().grid;
    const std::int64_t shard = place_.tables->shard_of(request.study);
    const auto scan_bytes = static_cast<std::uint64_t>(grid.scan_bytes());
    const std::uint64_t channel_bytes = scan_bytes / static_cast<std::uint64_t>(grid.channels),
                        slice_bytes = channel_bytes / static_cast<std::uint64_t>(grid.extents[0]);
    const bool whole = request.slices == grid.extents[0];
    const std::uint64_t runs = whole ? 1 : static_cast<std::uint64_t>(grid.channels);
    const std::size_t bytes = request.into.size() / runs;
    const std::uint64_t at =
        place_.tables->headers()[static_cast<std::size_t>(shard)].voxels_at +
        static_cast<std::uint64_t>(place_.tables->place(request.study, request.scan)) * scan_bytes +
        static_cast<std::uint64_t>(request.first_slice) * slice_bytes;
    for (std::uint64_t run = 0; run < runs; ++run)
      pieces.push_back(
          {shard, at + run * channel_bytes, request.into.subspan(run * bytes, bytes), request.study, request.scan});
  }

  static bool follows(const Piece& next, const Piece& last) {
    return next.shard == last.shard && next.at == last.at + last.into.size();
  }

  // Reads pieces[first] and those that follow it in the file; returns the first behind them.
  std::size_t read_run(const std::vector<Piece>& pieces, std::size_t first) const {
    std::vector<std::span<std::byte>> into{pieces[first].into};
    std::size_t next = first + 1;
    for (; next < pieces.size() && follows(pieces[next], pieces[next - 1]); ++next) into.push_back(pieces[next].into);
    const Piece& begin = pieces[first];
    try {
      files_.get(begin.shard)->read(begin.at, into);
    } catch (const Error& error) {
      fail(error.kind(), error.subject(),
           fmt::format("{}, from {} on: {}", place_.path(begin.shard), place_.scan_name(begin.study, begin.scan),
                       error.message()),
           error.hint());
    }
    return next;
  }

  SetPlace place_;
  mutable Recent<const InputFile> files_;
};

}  // namespace

std::string SetPlace::path(std::int64_t shard) const {
  return (std::filesystem::path(folder) / shards->at(static_cast<std::size_t>(shard)).file).string();
}

std::string SetPlace::scan_name(std::int64_t study, std::int64_t scan) const {
  return fmt::format("scan {} of study {}", scan, printable(tables->key(study)));
}

std::unique_ptr<VoxelReader> make_direct_reader(const SetPlace& place) { return std::make_unique<DirectReader>(place); }

}  // namespace strata::io
