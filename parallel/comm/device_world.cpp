// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/device_world.hpp"

#include "parallel/comm/local.hpp"
#include "parallel/comm/nccl.hpp"
#include "parallel/comm/wrapper.hpp"

namespace strata::comm {

std::shared_ptr<Communicator> make_device_world(Communicator& world, std::shared_ptr<Backend> backend,
                                                DeviceTransport transport, const StagingMemory& memory) {
  if (world.serves(backend->device())) return borrowed(world);
  const bool nccl = transport == DeviceTransport::nccl || (transport == DeviceTransport::automatic && nccl_is_built());
  if (world.size() == 1 && (nccl_is_built() || !nccl)) return make_local(std::move(backend), world.name());
  if (nccl) return make_nccl(borrowed(world), std::move(backend));
  return make_staged(borrowed(world), std::move(backend), memory);
}

}  // namespace strata::comm
