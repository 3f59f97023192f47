// SPDX-License-Identifier: Apache-2.0
#include "strata/comm/mesh.hpp"

#include <fmt/format.h>

namespace strata::comm {

std::string_view name_of(MeshAxis axis) {
  switch (axis) {
    case MeshAxis::data: return "data";
    case MeshAxis::pipeline: return "pipeline";
    case MeshAxis::study: return "study";
    case MeshAxis::tensor: return "tensor";
  }
  return "unknown";
}

int MeshShape::extent(MeshAxis axis) const {
  switch (axis) {
    case MeshAxis::data: return data;
    case MeshAxis::pipeline: return pipeline;
    case MeshAxis::study: return study;
    case MeshAxis::tensor: return tensor;
  }
  return 1;
}

int MeshShape::ranks() const { return data * pipeline * study * tensor; }

std::string MeshShape::str() const {
  return fmt::format("data {} × pipeline {} × study {} × tensor {}", data, pipeline, study, tensor);
}

MeshPlace place_of(int rank, const MeshShape& shape) {
  MeshPlace place;
  for (int axis = kMeshAxes - 1; axis >= 0; --axis) {
    const int extent = shape.extent(static_cast<MeshAxis>(axis));
    place.coordinate[static_cast<std::size_t>(axis)] = rank % extent;
    rank /= extent;
  }
  return place;
}

int rank_of(const MeshPlace& place, const MeshShape& shape) {
  int rank = 0;
  for (int axis = 0; axis < kMeshAxes; ++axis) {
    rank = rank * shape.extent(static_cast<MeshAxis>(axis)) + place[static_cast<MeshAxis>(axis)];
  }
  return rank;
}

}  // namespace strata::comm
