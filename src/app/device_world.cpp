// SPDX-License-Identifier: Apache-2.0
#include "app/device_world.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "parallel/comm/watchdog.hpp"
#include "strata/base/log.hpp"

namespace strata::app {

std::shared_ptr<comm::Communicator> open_device_world(comm::Communicator& world,
                                                      const std::shared_ptr<Backend>& backend,
                                                      const CommSettings& settings) {
  const bool on_host = backend->device().kind == DeviceKind::host;
  auto devices = comm::make_device_world(world, backend, settings.transport,
                                         on_host ? comm::StagingMemory{} : cuda_host_memory(backend));
  if (on_host || world.size() == 1) return devices;
  if (world.rank() == 0)
    log(LogLevel::info, "comm",
        fmt::format("{} ranks exchange device memory over {}", world.size(), devices->transport()));
  const std::chrono::milliseconds deadline(std::llround(settings.watchdog_minutes * 60'000));
  if (deadline.count() == 0) return devices;
  return comm::make_watchdog(std::move(devices), deadline);
}

}  // namespace strata::app
