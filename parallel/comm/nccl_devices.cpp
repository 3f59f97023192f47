// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl_devices.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "parallel/comm/nccl_check.hpp"
#include "strata/base/log.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/pack.hpp"
#include "strata/comm/together.hpp"

namespace strata::comm {
namespace {

bool share_device(const RankPlace& a, const RankPlace& b) { return a.host == b.host && a.device == b.device; }

RankPlace place_here(int device) {
  RankPlace place;
  STRATA_NCCL(ncclGetVersion(&place.version));
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  place.host = host.data();
  place.process = getpid();
  std::array<char, 64> bus{};
  STRATA_NCCL_CUDA(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), device));
  place.device = bus.data();
  return place;
}

std::vector<RankPlace> gather_places(Communicator& carrier, const RankPlace& mine) {
  Packer packer;
  packer.put(mine.version);
  packer.put(mine.host);
  packer.put(mine.process);
  packer.put(mine.device);
  std::vector<RankPlace> places;
  for (const auto& text : gather_texts(carrier, packer.take())) {
    Unpacker from(text);
    RankPlace place;
    place.version = from.get<int>();
    place.host = from.get<std::string>();
    place.process = from.get<std::int64_t>();
    place.device = from.get<std::string>();
    places.push_back(std::move(place));
  }
  return places;
}

// What the user has set stays.
void set_default(const char* name, const std::string& value) { setenv(name, value.c_str(), 0); }

}  // namespace

std::string obstacle(const std::vector<RankPlace>& places) {
  for (std::size_t r = 1; r < places.size(); ++r) {
    if (places[r].version != places[0].version)
      return fmt::format("rank 0 has NCCL {}, rank {} has {}: all ranks need one version", places[0].version, r,
                         places[r].version);
    for (std::size_t before = 0; before < r; ++before) {
      if (share_device(places[before], places[r]) && places[before].process == places[r].process)
        return fmt::format("ranks {} and {} of one process are on one device ({} of {})", before, r, places[r].device,
                           places[r].host);
    }
  }
  return {};
}

int sharers_before(const std::vector<RankPlace>& places, int rank) {
  int sharers = 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(rank); ++r)
    sharers += share_device(places[r], places[static_cast<std::size_t>(rank)]) ? 1 : 0;
  return sharers;
}

bool devices_are_shared(const std::vector<RankPlace>& places) {
  for (std::size_t r = 0; r < places.size(); ++r)
    if (sharers_before(places, static_cast<int>(r)) > 0) return true;
  return false;
}

// NCCL refuses two ranks on one device of one host, but takes NCCL_HOSTID for the host's name. It reads that once a
// process. Hosts talk over sockets here, which work everywhere: nobody shares devices for speed.
void prepare_devices(Communicator& carrier, int device) {
  RankPlace mine;
  together(carrier, [&] {
    try {
      mine = place_here(device);
    } catch (const Error& error) {  // together lets errors of communication pass
      fail(ErrorKind::environment, error.subject(), error.message(), error.hint());
    }
  });
  const auto places = gather_places(carrier, mine);
  const std::string wrong = obstacle(places);
  STRATA_CHECK(
      wrong.empty(), environment, "nccl", wrong,
      "give each process a device of its own and all of them the same libraries, or use comm.transport=staged");
  set_default("NCCL_NVLS_ENABLE", "0");
  if (!devices_are_shared(places)) return;
  set_default("NCCL_HOSTID", fmt::format("{}.{}", mine.host, sharers_before(places, carrier.rank())));
  set_default("NCCL_IB_DISABLE", "1");
  set_default("NCCL_MNNVL_ENABLE", "0");  // or it would find that these hosts share an NVLink fabric
  if (carrier.rank() == 0)
    log(LogLevel::warning, "nccl", "several ranks share a device: they talk over sockets, which is slow");
}

}  // namespace strata::comm
