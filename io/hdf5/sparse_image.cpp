// SPDX-License-Identifier: Apache-2.0
#include "io/hdf5/sparse_image.hpp"

#include <algorithm>
#include <cstring>

namespace strata::io::hdf5 {

void SparseImage::write(std::uint64_t at, std::span<const std::byte> bytes) {
  size_ = std::max(size_, at + bytes.size());
  while (!bytes.empty()) {
    auto& page = pages_[at / kPage];
    page.resize(kPage);
    const auto count = std::min<std::uint64_t>(bytes.size(), kPage - at % kPage);
    std::memcpy(page.data() + at % kPage, bytes.data(), count);
    bytes = bytes.subspan(count);
    at += count;
  }
}

void SparseImage::read(std::uint64_t at, std::span<std::byte> into) const {
  while (!into.empty()) {
    const auto count = std::min<std::uint64_t>(into.size(), kPage - at % kPage);
    const auto page = pages_.find(at / kPage);
    if (page == pages_.end()) {
      std::memset(into.data(), 0, count);
    } else {
      std::memcpy(into.data(), page->second.data() + at % kPage, count);
    }
    into = into.subspan(count);
    at += count;
  }
}

void SparseImage::visit(std::uint64_t begin, std::uint64_t end,
                        const std::function<void(std::uint64_t, std::span<const std::byte>)>& call) const {
  const std::vector<std::byte> zeros(kPage);
  while (begin < end) {
    const auto count = std::min(end - begin, kPage - begin % kPage);
    const auto page = pages_.find(begin / kPage);
    const std::byte* bytes = page == pages_.end() ? zeros.data() : page->second.data() + begin % kPage;
    call(begin, {bytes, static_cast<std::size_t>(count)});
    begin += count;
  }
}

void SparseImage::visit_written(const std::function<void(std::uint64_t, std::span<const std::byte>)>& call) const {
  for (const auto& [number, page] : pages_) {
    const auto at = number * kPage;
    if (at >= size_) break;
    call(at, {page.data(), static_cast<std::size_t>(std::min(kPage, size_ - at))});
  }
}

}  // namespace strata::io::hdf5
