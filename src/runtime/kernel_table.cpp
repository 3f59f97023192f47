// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/kernel_table.hpp"

#include <algorithm>

namespace strata {

void KernelTable::put(std::type_index op, Entry entry) { entries_[op].push_back(std::move(entry)); }

const KernelTable::Entry* KernelTable::find(std::type_index op, const void* value, Specs inputs) const {
  const auto row = entries_.find(op);
  if (row != entries_.end())
    for (const auto& entry : row->second)
      if (entry.serves(value, inputs)) return &entry;
  return fallback_ ? fallback_->find(op, value, inputs) : nullptr;
}

KernelTable KernelTable::wrapped(const std::function<Run(const Entry&)>& wrap) const {
  KernelTable table(backend_);
  for (const auto& [op, row] : entries_)
    for (const auto& entry : row)
      table.put(op, {entry.op, entry.kernel, entry.serves, wrap(entry), entry.copy, entry.same});
  return table;
}

std::vector<const KernelTable::Entry*> KernelTable::entries() const {
  std::vector<const Entry*> all;
  for (const auto& [op, row] : entries_)
    for (const auto& entry : row) all.push_back(&entry);
  std::ranges::stable_sort(all, {}, &Entry::op);
  return all;
}

}  // namespace strata
