// SPDX-License-Identifier: Apache-2.0
//
// The communicators that a conformance test must hold for.
#pragma once

#include "parallel/comm/checking.hpp"
#include "parallel/comm/tracing.hpp"
#include "parallel/comm/watchdog.hpp"
#include "parallel/comm/wrapper.hpp"
#include "tests/support/ranks.hpp"

namespace strata::testing {

// The launched ranks as they are, through each wrapper, and, under MPI, with tensors cut into pieces as huge ones are;
// one rank also as `local`. Ranks with devices: bare and through the wrappers.
inline void each_world(const Body& body) {
  run_ranks([&](comm::Communicator& world) {
    {
      SCOPED_TRACE("bare");
      body(world);
    }
    SCOPED_TRACE("watchdog over tracing over checking");
    const std::shared_ptr<comm::Communicator> checking = comm::make_checking(comm::borrowed(world));
    const std::shared_ptr<comm::Communicator> tracing = comm::make_tracing(checking, std::make_shared<comm::Trace>());
    body(*comm::make_watchdog(tracing, std::chrono::seconds(60)));
  });
  if (launch().open_device) return;
  if (launch().mpi_world_in_pieces) {
    SCOPED_TRACE("MPI in pieces of 5 elements");
    run_ranks([&](comm::Communicator&) { body(*launch().mpi_world_in_pieces(5)); });
  }
  if (launched_ranks() == 1) {
    SCOPED_TRACE("local");
    body(*comm::make_local());
  }
}

}  // namespace strata::testing
