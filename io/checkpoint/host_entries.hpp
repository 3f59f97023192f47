// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a state's entries in host memory: where they lie there already, themselves; of a device, a copy for as
// long as the pass over the file needs it. Tensors are asked for in the order of the file.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "io/checkpoint/table.hpp"
#include "strata/io/state_dict.hpp"
#include "strata/runtime/context.hpp"

namespace strata::io {

class HostEntries {
 public:
  enum class Use : std::uint8_t { read, write };  // write: what is put there reaches the entry with drop_before

  // Entries of the table's tensors, by their index in the table.
  HostEntries(Context& ctx, const CheckpointTable& table, const StateDict& state, Use use);

  const StateEntry* entry(std::size_t tensor) const { return entries_[tensor]; }  // null: not in the state
  std::byte* bytes(std::size_t tensor);
  void drop_before(std::size_t tensor);  // the pass has gone beyond these

 private:
  void give_back(std::size_t tensor, const Tensor& copy);

  Context* ctx_;
  Use use_;
  std::vector<const StateEntry*> entries_;
  std::map<std::size_t, Tensor> copies_;
};

}  // namespace strata::io
