// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/packed_weights.hpp"

namespace strata::cpu {

struct PackedWeights::Block {
  Backend& memory;
  std::size_t bytes;
  void* data;

  Block(Backend& from, std::size_t size) : memory(from), bytes(size), data(from.allocate(size, {}, MemoryKind::work)) {}
  ~Block() { memory.free(data, bytes, {}, MemoryKind::work); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
};

PackedWeights::~PackedWeights() = default;

void PackedWeights::drop_orphans() {
  std::erase_if(entries_, [](const auto& item) { return item.second.owner.expired(); });
}

std::shared_ptr<const void> PackedWeights::get(const MatmulShape& shape, const Tensor& weight) {
  const Storage& storage = *weight.storage();
  const Key key{storage.id(), weight.byte_offset(), shape.k, shape.n, shape.b.row, shape.b.column, shape.input};
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(key);
  const bool known = found != entries_.end();
  if (known && found->second.version == storage.version()) return {found->second.block, found->second.block->data};
  // Memory that a product still reads is left alone.
  std::shared_ptr<Block> block = known && found->second.block.use_count() == 1 ? found->second.block : nullptr;
  if (!known) drop_orphans();
  if (!block) block = std::make_shared<Block>(memory_, library_.packed_bytes(shape));
  library_.pack(shape, weight.raw(), block->data);
  entries_[key] = {weight.storage(), storage.version(), block};
  return {block, block->data};
}

std::int64_t PackedWeights::bytes() const {
  const std::scoped_lock lock(mutex_);
  std::int64_t sum = 0;
  for (const auto& [key, entry] : entries_) sum += static_cast<std::int64_t>(entry.block->bytes);
  return sum;
}

}  // namespace strata::cpu
