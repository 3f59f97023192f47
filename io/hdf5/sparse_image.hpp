// SPDX-License-Identifier: Apache-2.0
//
// A HDF5 file without its bulk: what HDF5 writes or reads itself (headers, indexes, small tables) in memory, and holes
// where large early-allocated datasets lie. What for: HDF5 never touches the disk, so a full disk cannot leave it with
// a file that it can neither write nor close; the bytes can be checked before HDF5 believes them; and its file locks,
// which some parallel file systems lack, are not needed. Memory: pages of 64 KiB that were written or put.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace strata::io::hdf5 {

class SparseImage {
 public:
  std::uint64_t size() const { return size_; }
  void resize(std::uint64_t size) { size_ = size; }  // no memory; what is cut off is not forgotten

  // Grows the image where needed.
  void write(std::uint64_t at, std::span<const std::byte> bytes);
  // What was never written is zero, also behind the end.
  void read(std::uint64_t at, std::span<std::byte> into) const;
  // Calls with pieces of [begin, end) in order, holes included as zeros.
  void visit(std::uint64_t begin, std::uint64_t end,
             const std::function<void(std::uint64_t at, std::span<const std::byte>)>& call) const;
  // The same, but holes are passed over, whole pages at a time.
  void visit_written(const std::function<void(std::uint64_t at, std::span<const std::byte>)>& call) const;

  // Where HDF5 last read elements of a dataset: asks it for an address (Dataset::address).
  std::optional<std::uint64_t> last_elements_read;

 private:
  static constexpr std::uint64_t kPage = 65536;
  std::map<std::uint64_t, std::vector<std::byte>> pages_;  // by number
  std::uint64_t size_ = 0;
};

}  // namespace strata::io::hdf5
