// SPDX-License-Identifier: Apache-2.0
//
// Who holds which elements of which tensor, known to all ranks. Ranks whose state is alike send it once, so that many
// ranks of few kinds cost little; what is a row-major range, or a scalar, goes in a list of its own, since sharded
// optimizers differ in these alone.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "io/checkpoint/piece.hpp"
#include "io/checkpoint/table.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::io {

class Holdings {
 public:
  struct Source {
    Piece piece = {};
    std::vector<std::size_t> lists = {};  // that name it
  };
  struct Held {
    DType dtype = DType::f32;
    Shape shape = {};
    std::vector<Source> sources = {};  // disjoint, together the whole tensor
  };

  // Collective. Usage errors: ranks that disagree on a tensor, elements that nobody holds or that are held by different
  // pieces.
  static Holdings agree(comm::Communicator& comm, const StateDict& mine);

  const std::vector<std::string>& names() const { return names_; }  // ascending
  const std::vector<Held>& tensors() const { return tensors_; }     // in this order
  CheckpointTable table() const;                                    // names, types and shapes

  // Who gives the elements of a source to `rank`: itself if it holds them, otherwise one of those who do.
  int giver(const Source& source, int rank) const;

 private:
  static constexpr std::size_t kLists = 2;  // a rank

  std::vector<std::array<std::size_t, kLists>> lists_of_;  // by rank
  std::vector<std::vector<int>> ranks_of_;                 // by list
  std::vector<std::string> names_;
  std::vector<Held> tensors_;
};

}  // namespace strata::io
