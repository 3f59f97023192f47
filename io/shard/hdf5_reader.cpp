// SPDX-License-Identifier: Apache-2.0
//
// H5Dread: one thread at a time, each rank for itself or all together over MPI-IO.
#include <algorithm>

#include "io/shard/recent.hpp"
#include "io/shard/voxel_reader.hpp"
#include "strata/base/error.hpp"

namespace strata::io {
namespace {

struct OpenShard {
  hdf5::File file;
  hdf5::Dataset voxels;  // dies before its file

  explicit OpenShard(hdf5::File opened) : file(std::move(opened)), voxels(file.dataset("/voxels")) {}
};

std::uint64_t u(std::int64_t value) { return static_cast<std::uint64_t>(value); }

void read_block(const OpenShard& shard, const SetPlace& place, const data::ReadRequest& request, bool together) {
  const auto& grid = place.tables->description().grid;
  shard.voxels.read({u(place.tables->place(request.study, request.scan)), 0, u(request.first_slice), 0, 0},
                    {1, u(grid.channels), u(request.slices), u(grid.extents[1]), u(grid.extents[2])}, request.into,
                    together);
}

class IndependentReader final : public VoxelReader {
 public:
  explicit IndependentReader(const SetPlace& place)
      : place_(place), files_(place.open_files, [this](std::int64_t shard) {
          return std::make_shared<OpenShard>(hdf5::File::open(place_.path(shard)));
        }) {}

  void read(std::span<const data::ReadRequest> requests) const override {
    for (const auto& request : requests)
      read_block(*files_.get(place_.tables->shard_of(request.study)), place_, request, false);
  }

 private:
  SetPlace place_;
  mutable Recent<OpenShard> files_;
};

// Shard after shard, all ranks take part in as many reads as the rank with most of them has there.
class CollectiveReader final : public VoxelReader {
 public:
  CollectiveReader(const SetPlace& place, comm::Communicator& comm)
      : place_(place),
        group_(comm.split(0, comm.rank(), "shards")),
        files_(place.open_files, [this](std::int64_t shard) {
          return std::make_shared<OpenShard>(hdf5::File::open(place_.path(shard), *group_));
        }) {}

  void read(std::span<const data::ReadRequest> requests) const override {
    std::vector<std::vector<const data::ReadRequest*>> mine(place_.tables->headers().size());
    for (const auto& request : requests)
      mine[static_cast<std::size_t>(place_.tables->shard_of(request.study))].push_back(&request);
    std::vector<std::int64_t> most;
    for (const auto& list : mine) most.push_back(static_cast<std::int64_t>(list.size()));
    group_
        ->all_reduce(Tensor::borrow(most.data(), DType::i64, {static_cast<std::int64_t>(most.size())}),
                     comm::Reduction::max)
        .wait();
    for (std::size_t shard = 0; shard < mine.size(); ++shard)
      if (most[shard] > 0)
        read_shard(static_cast<std::int64_t>(shard), mine[shard], static_cast<std::size_t>(most[shard]));
  }

 private:
  void read_shard(std::int64_t shard, const std::vector<const data::ReadRequest*>& mine, std::size_t most) const {
    const auto file = files_.get(shard);
    for (std::size_t i = 0; i < most; ++i) {
      if (i < mine.size()) {
        read_block(*file, place_, *mine[i], true);
      } else {
        file->voxels.read({0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {}, true);
      }
    }
  }

  SetPlace place_;
  std::unique_ptr<comm::Communicator> group_;
  mutable Recent<OpenShard> files_;
};

}  // namespace

std::unique_ptr<VoxelReader> make_independent_reader(const SetPlace& place) {
  return std::make_unique<IndependentReader>(place);
}

std::unique_ptr<VoxelReader> make_collective_reader(const SetPlace& place, comm::Communicator& comm) {
  STRATA_CHECK(comm.native_handle("MPI_Comm") != nullptr, usage, "shard",
               "collective reads need ranks that talk over MPI", "start them with mpirun, or read directly");
  return std::make_unique<CollectiveReader>(place, comm);
}

}  // namespace strata::io
