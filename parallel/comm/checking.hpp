// SPDX-License-Identifier: Apache-2.0
//
// Compares every collective across ranks before it begins: ranks that call different things (kind, reduction, type,
// shape, root, counts) all get a communication error that names them and their calls, where a bare transport would hang
// or give wrong numbers. The thread transport does so by itself. Costs two small blocking collectives a call, so: for
// tests and for finding a fault, not for production.
#pragma once

#include <memory>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

std::unique_ptr<Communicator> make_checking(std::shared_ptr<Communicator> inner);

}  // namespace strata::comm
