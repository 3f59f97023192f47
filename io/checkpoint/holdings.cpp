// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/holdings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "io/hdf5/checksum.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

using Packed = std::array<std::string, 2>;

bool is_whole_or_box(const StateEntry& entry) {
  const bool range = entry.begin != 0 || (entry.end >= 0 && entry.placement && entry.end != entry.placement->numel());
  return !range && entry.value.numel() > 1;
}

// My entries, boxes and the rest, in the order of names.
Packed pack_entries(const StateDict& mine) {
  std::vector<const StateEntry*> order;
  for (const auto& entry : mine) order.push_back(&entry);
  std::ranges::sort(order, {}, [](const StateEntry* entry) -> const std::string& { return entry->name; });
  std::array<comm::Packer, 2> packers;
  for (const auto* entry : order) {
    comm::Packer& packer = packers[is_whole_or_box(*entry) ? 0 : 1];
    packer.put(entry->name);
    packer.put(entry->value.dtype());
    packer.put(entry->global ? *entry->global : entry->value.shape());
    Piece(*entry).pack(packer);
  }
  return {packers[0].take(), packers[1].take()};
}

// The checksums of all ranks' lists, so that equal ones need not be sent.
std::vector<std::uint64_t> gather_checksums(comm::Communicator& comm, const Packed& mine) {
  std::string sums;
  for (const auto& list : mine) {
    const auto sum = checksum_of(std::as_bytes(std::span(list)));
    sums.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  }
  std::vector<std::uint64_t> all;
  for (const auto& text : comm::gather_texts(comm, sums))
    for (std::size_t at = 0; at < text.size(); at += sizeof(std::uint64_t)) {
      std::memcpy(&all.emplace_back(), text.data() + at, sizeof(std::uint64_t));
    }
  return all;
}

void check_cover(const std::string& name, const Holdings::Held& held) {
  std::int64_t elements = 0;
  for (const auto& source : held.sources) elements += source.piece.numel();
  STRATA_CHECK(
      elements == held.shape.numel(), usage, "checkpoint",
      fmt::format("the ranks hold {} elements of {}, which has {}", elements, printable(name), held.shape.numel()),
      "placements of different ranks are equal or apart, and leave nothing out");
}

}  // namespace

namespace {

void add_list(std::map<std::string, Holdings::Held>& tensors, std::size_t list, const std::string& packed) {
  for (comm::Unpacker from(packed); !from.done();) {
    const auto name = from.get<std::string>();
    const auto dtype = from.get<DType>();
    const auto shape = from.get<Shape>();
    Piece piece = Piece::unpack(from);
    Holdings::Held& held = tensors.try_emplace(name, Holdings::Held{dtype, shape, {}}).first->second;
    STRATA_CHECK(held.dtype == dtype && held.shape == shape, usage, "checkpoint",
                 fmt::format("{} is {}{} on one rank and {}{} on another", printable(name), name_of(held.dtype),
                             held.shape.str(), name_of(dtype), shape.str()));
    const auto known = std::ranges::find(held.sources, piece, &Holdings::Source::piece);
    if (known != held.sources.end()) {
      known->lists.push_back(list);
    } else {
      held.sources.push_back({std::move(piece), {list}});
    }
  }
}

}  // namespace

Holdings Holdings::agree(comm::Communicator& comm, const StateDict& mine) {
  Packed packed;
  comm::together(comm, [&] { packed = pack_entries(mine); });
  const auto sums = gather_checksums(comm, packed);

  Holdings made;
  made.lists_of_.resize(static_cast<std::size_t>(comm.size()));
  std::map<std::pair<std::size_t, std::uint64_t>, std::size_t> lists;
  comm::Packer packer;  // those of my lists that no rank before me has
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto rank = static_cast<int>(i / kLists);
    const auto [at, fresh] = lists.try_emplace({i % kLists, sums[i]}, lists.size());
    if (fresh) made.ranks_of_.emplace_back();
    made.ranks_of_[at->second].push_back(rank);
    made.lists_of_[i / kLists][i % kLists] = at->second;
    if (fresh && rank == comm.rank()) {
      packer.put(at->second);
      packer.put(packed[i % kLists]);
    }
  }

  std::map<std::string, Held> tensors;
  for (const auto& text : comm::gather_texts(comm, packer.take()))
    for (comm::Unpacker from(text); !from.done();) {
      const auto list = from.get<std::size_t>();
      add_list(tensors, list, from.get<std::string>());
    }
  for (auto& [name, held] : tensors) {
    check_cover(name, held);
    made.names_.push_back(name);
    made.tensors_.push_back(std::move(held));
  }
  return made;
}

CheckpointTable Holdings::table() const {
  CheckpointTable table;
  for (std::size_t i = 0; i < names_.size(); ++i)
    table.tensors.push_back({.name = names_[i], .dtype = tensors_[i].dtype, .shape = tensors_[i].shape});
  return table;
}

int Holdings::giver(const Source& source, int rank) const {
  const auto& own = lists_of_[static_cast<std::size_t>(rank)];
  std::size_t holders = 0;
  for (const auto list : source.lists) {
    if (std::ranges::find(own, list) != own.end()) return rank;
    holders += ranks_of_[list].size();
  }
  std::size_t chosen = static_cast<std::size_t>(rank) % holders;
  for (const auto list : source.lists) {
    if (chosen < ranks_of_[list].size()) return ranks_of_[list][chosen];
    chosen -= ranks_of_[list].size();
  }
  return ranks_of_[source.lists.front()].front();
}

}  // namespace strata::io
