// SPDX-License-Identifier: Apache-2.0
//
// How the ranks of a job are laid out: data × pipeline × study × tensor, row-major, so that tensor groups, which talk
// most, are neighbours (inside a node under the usual launch order) and data groups are far apart. What for: parallel
// strategies ask for the group of their axis. When not: model code, which knows no ranks. Built by parallel/mesh; costs
// one split an axis.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

enum class MeshAxis : std::uint8_t { data, pipeline, study, tensor };
inline constexpr int kMeshAxes = 4;
std::string_view name_of(MeshAxis axis);

struct MeshShape {
  int data = 1, pipeline = 1, study = 1, tensor = 1;

  int extent(MeshAxis axis) const;
  int ranks() const;
  std::string str() const;  // "data 2 × pipeline 1 × study 1 × tensor 4"
  bool operator==(const MeshShape&) const = default;
};

// rank = ((data · pipelines + pipeline) · studies + study) · tensors + tensor
struct MeshPlace {
  std::array<int, kMeshAxes> coordinate{};  // by MeshAxis

  int operator[](MeshAxis axis) const { return coordinate[static_cast<std::size_t>(axis)]; }
  bool operator==(const MeshPlace&) const = default;
};
MeshPlace place_of(int rank, const MeshShape& shape);
int rank_of(const MeshPlace& place, const MeshShape& shape);

// The groups this rank is in. Must not outlive the world it was built from.
class Mesh {
 public:
  using Groups = std::array<std::unique_ptr<Communicator>, kMeshAxes>;

  Mesh(Communicator& world, const MeshShape& shape, Groups groups, std::unique_ptr<Communicator> replicas)
      : world_(&world),
        shape_(shape),
        place_(place_of(world.rank(), shape)),
        groups_(std::move(groups)),
        replicas_(std::move(replicas)) {}

  const MeshShape& shape() const { return shape_; }
  const MeshPlace& place() const { return place_; }
  Communicator& world() { return *world_; }
  // The ranks that differ from this one along `axis` alone, in the order of that axis: this rank is place()[axis]
  // there.
  Communicator& group(MeshAxis axis) { return *groups_[static_cast<std::size_t>(axis)]; }
  // data × study: those who hold the same parameters and see other scans; weight gradients are summed over it. Data
  // outermost.
  Communicator& replicas() { return *replicas_; }

 private:
  Communicator* world_;
  MeshShape shape_;
  MeshPlace place_;
  Groups groups_;
  std::unique_ptr<Communicator> replicas_;
};

}  // namespace strata::comm
