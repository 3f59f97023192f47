// SPDX-License-Identifier: Apache-2.0
//
// Makes the groups of a mesh. Collective over the world; waits.
#pragma once

#include "strata/comm/mesh.hpp"

namespace strata::comm {

// Extents below one, or a product that is not the number of ranks: usage error, on every rank alike.
Mesh build_mesh(Communicator& world, const MeshShape& shape);

}  // namespace strata::comm
