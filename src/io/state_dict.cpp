// SPDX-License-Identifier: Apache-2.0
#include "strata/io/state_dict.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata {

void StateDict::add(std::string name, Tensor value, std::optional<Placement> placement) {
  add(StateEntry{.name = std::move(name), .value = std::move(value), .placement = std::move(placement)});
}

void StateDict::add(StateEntry entry) {
  const auto [at, fresh] = index_.emplace(entry.name, entries_.size());
  STRATA_CHECK(fresh, usage, "state dict", fmt::format("the name {} is added twice", io::printable(entry.name)));
  entries_.push_back(std::move(entry));
}

const StateEntry* StateDict::find(std::string_view name) const {
  const auto at = index_.find(name);
  return at == index_.end() ? nullptr : &entries_[at->second];
}

const Tensor& StateDict::at(std::string_view name) const {
  const StateEntry* entry = find(name);
  if (entry != nullptr) return entry->value;
  const auto near = nearest(name);
  fail(ErrorKind::usage, "state dict", fmt::format("no tensor is called {} among {}", io::printable(name), size()),
       near.empty() ? std::string() : fmt::format("did you mean {}?", io::printable(near)));
}

std::string_view StateDict::nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  names.reserve(size());
  for (const auto& entry : entries_) names.push_back(entry.name);
  return nearest_name(name, names);
}

}  // namespace strata
