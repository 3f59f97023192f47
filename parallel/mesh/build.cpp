// SPDX-License-Identifier: Apache-2.0
#include "parallel/mesh/build.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

void check(const Communicator& world, const MeshShape& shape) {
  for (int i = 0; i < kMeshAxes; ++i) {
    const auto axis = static_cast<MeshAxis>(i);
    STRATA_CHECK(shape.extent(axis) >= 1, usage, "mesh", fmt::format("{} is {}", name_of(axis), shape.extent(axis)),
                 "every axis is at least 1");
  }
  STRATA_CHECK(shape.ranks() == world.size(), usage, "mesh",
               fmt::format("{} needs {} ranks, the job has {}", shape.str(), shape.ranks(), world.size()),
               "change the parallel plan or the number of processes");
}

// The rank of the group's first member stands for the group.
int color_without(MeshPlace place, std::initializer_list<MeshAxis> axes, const MeshShape& shape) {
  for (const auto axis : axes) place.coordinate[static_cast<std::size_t>(axis)] = 0;
  return rank_of(place, shape);
}

}  // namespace

Mesh build_mesh(Communicator& world, const MeshShape& shape) {
  check(world, shape);
  const auto place = place_of(world.rank(), shape);
  Mesh::Groups groups;
  for (int i = 0; i < kMeshAxes; ++i) {
    const auto axis = static_cast<MeshAxis>(i);
    groups[static_cast<std::size_t>(i)] = world.split(color_without(place, {axis}, shape), world.rank(), name_of(axis));
  }
  auto replicas = world.split(color_without(place, {MeshAxis::data, MeshAxis::study}, shape), world.rank(), "replicas");
  return {world, shape, std::move(groups), std::move(replicas)};
}

}  // namespace strata::comm
