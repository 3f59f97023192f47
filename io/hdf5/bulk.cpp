// SPDX-License-Identifier: Apache-2.0
//
// Blocks of a large dataset through HDF5, and where its bytes lie. H5Dget_chunk_info walks over all chunks for each
// answer, and counts from the file's beginning or from the end of the user block, depending on the release of HDF5; so
// the address is taken from where HDF5 itself reads the first element.
#include <fmt/format.h>

#include <algorithm>

#include "io/hdf5/check.hpp"
#include "io/hdf5/types.hpp"

namespace strata::io::hdf5 {
namespace {

bool has_filters(hid_t creation) { return H5Pget_nfilters(creation) != 0; }

// Are chunks whole (no edge is padded), and is each row of chunks a run of rows of the dataset? Then chunks one behind
// the other are the dataset in row-major order: all axes before the first that is cut are single, all behind are whole.
bool chunks_are_runs(const Extents& extents, const Extents& chunk) {
  bool cut = false;
  for (std::size_t axis = extents.size(); axis-- > 0;) {
    if (chunk[axis] == 0 || extents[axis] % chunk[axis] != 0) return false;
    if (cut && chunk[axis] != 1) return false;
    cut = cut || chunk[axis] != extents[axis];
  }
  return true;
}

// The implicit index has no entries: chunk i lies at the first one's address plus i times its size, by the format.
bool chunks_follow_each_other(hid_t set) {
  H5D_chunk_index_t index = H5D_CHUNK_IDX_BTREE;
  if (H5Dget_chunk_index_type(set, &index) < 0) return false;
  return index == H5D_CHUNK_IDX_NONE || index == H5D_CHUNK_IDX_SINGLE;
}

Handle block_of(hid_t space, const Extents& start, const Extents& count, const std::string& name) {
  const std::vector<hsize_t> from(start.begin(), start.end()), size(count.begin(), count.end());
  STRATA_HDF5(H5Sselect_hyperslab(space, H5S_SELECT_SET, from.data(), nullptr, size.data(), nullptr), data,
              fmt::format("select {} at {}", list(count), list(start)), name);
  return space_of(count, name);
}

// Are all elements in the file itself, one behind the other in row-major order?
bool is_run(hid_t set, hid_t creation, const Extents& extents) {
  if (has_filters(creation)) return false;
  const auto layout = H5Pget_layout(creation);
  if (layout == H5D_CONTIGUOUS) return H5Pget_external_count(creation) == 0;
  std::vector<hsize_t> dims(extents.size());
  if (layout != H5D_CHUNKED || H5Pget_chunk(creation, static_cast<int>(dims.size()), dims.data()) != std::ssize(dims))
    return false;
  return chunks_are_runs(extents, {dims.begin(), dims.end()}) && chunks_follow_each_other(set);
}

}  // namespace

std::optional<std::uint64_t> Dataset::address() const {
  const Session session;
  if (state_->image == nullptr) return std::nullopt;
  const Handle creation(STRATA_HDF5(H5Dget_create_plist(state_->id), data, "read the layout", state_->name));
  const Handle space(STRATA_HDF5(H5Dget_space(state_->id), data, "read the extents", state_->name));
  const Handle type(STRATA_HDF5(H5Dget_type(state_->id), data, "read the type", state_->name));
  const Extents extents = extents_of(space, state_->name);
  if (std::ranges::find(extents, 0U) != extents.end() || !is_run(state_->id, creation, extents)) return std::nullopt;
  std::vector<std::byte> first(H5Tget_size(type));
  state_->image->last_elements_read.reset();
  if (extents.empty()) {
    STRATA_HDF5(H5Dread(state_->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, first.data()), data, "find the value",
                state_->name);
  } else {
    read(Extents(extents.size(), 0), Extents(extents.size(), 1), first);
  }
  return state_->image->last_elements_read;
}

void Dataset::read(const Extents& start, const Extents& count, std::span<std::byte> into, bool collective) const {
  const Session session;
  const Handle space(STRATA_HDF5(H5Dget_space(state_->id), data, "read the extents", state_->name));
  const Handle type(STRATA_HDF5(H5Dget_type(state_->id), data, "read the type", state_->name));
  std::uint64_t bytes = H5Tget_size(type);
  for (const auto extent : count) bytes *= extent;
  STRATA_CHECK(bytes == into.size(), internal, "hdf5",
               fmt::format("{} at {} are {} bytes, not {}", list(count), list(start), bytes, into.size()));
  const Handle memory = bytes > 0 ? block_of(space, start, count, state_->name)
                                  : Handle(STRATA_HDF5(H5Screate(H5S_NULL), internal, "select nothing", state_->name));
  if (bytes == 0) STRATA_HDF5(H5Sselect_none(space), internal, "select nothing", state_->name);
  const Handle transfer(STRATA_HDF5(H5Pcreate(H5P_DATASET_XFER), internal, "prepare a transfer", state_->name));
  if (collective)
    STRATA_HDF5(H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE), environment, "prepare a transfer", state_->name);
  STRATA_HDF5(H5Dread(state_->id, type, memory, space, transfer, into.data()), data,
              fmt::format("read {} at {}", list(count), list(start)), state_->name);
}

}  // namespace strata::io::hdf5
