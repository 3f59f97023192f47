// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/stream.hpp"

#include "strata/base/error.hpp"

namespace strata {

double EventState::seconds_since(EventState&) {
  fail(ErrorKind::internal, "event", "only events that a device recorded tell how much time lies between them");
}

}  // namespace strata
