// SPDX-License-Identifier: Apache-2.0
//
// Narrow interface 3b: what a model, an optimizer or a file holds, as a plain list of (name, tensor view, placement).
// Names come from walking the module tree; neither modules nor tensors know how to save themselves. A value type:
// copying it copies handles, never numbers. Lookup by name costs one hash; order is the order of adding.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "strata/tensor/placement.hpp"
#include "strata/tensor/tensor.hpp"

namespace strata {

struct StateEntry {
  std::string name = {};
  Tensor value = {};                        // a view: the memory is whoever's it was
  std::optional<Placement> placement = {};  // which part of the global tensor `value` is; absent: all of it
  std::optional<Shape> global = {};  // shape of the global tensor; absent: that of `value`, which then is all of it
  std::int64_t begin = 0, end = -1;  // `value` holds these elements of the placed box, row-major; -1: to the last
};

class StateDict {
 public:
  void add(std::string name, Tensor value, std::optional<Placement> placement = {});  // a name twice: usage error
  void add(StateEntry entry);

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  const std::vector<StateEntry>& entries() const { return entries_; }
  std::vector<StateEntry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<StateEntry>::const_iterator end() const { return entries_.end(); }

  const StateEntry* find(std::string_view name) const;    // nullptr when there is none
  const Tensor& at(std::string_view name) const;          // none: usage error that offers the nearest name
  std::string_view nearest(std::string_view name) const;  // empty when none is near

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };

  std::vector<StateEntry> entries_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
};

}  // namespace strata
