// SPDX-License-Identifier: Apache-2.0
//
// What a machine can do at best, measured through the same backend that trains: matrix products, and copies. Shares of
// a step are given against these. Sizes are chosen for what they run on: a device is not filled by what fills a host.
#pragma once

#include <functional>

#include "app/wiring.hpp"

namespace strata::app {

// Seconds of one call of work that is put on the context's stream. On a host: the fastest of a few calls. On a device,
// where a call only queues work: the mean of as many calls behind each other as take `round` seconds, after one that
// does not count, so that neither launches nor waits are in it as long as the work is longer than its launch; the
// fastest of two such rounds. A call that takes longer than a round is timed once.
double seconds_alone(const Context& ctx, const std::function<void()>& call, double round = 0.02);

struct Ceiling {
  double flops_per_second = 0;  // of the best product
  std::int64_t m = 0, k = 0, n = 0;
};

// Products [m, k] x [k, n] of this type. On a host those of a ViT-B; on a device those of a model of that width with
// many rows, and large squares. A backend that would leave them to the reference loops: environment error.
Ceiling product_ceiling(const WiredBackend& wired, DType dtype, std::int64_t width);

// Bytes a second, read and written, of a large copy: by the backend's own call or by its kernel, whichever is faster.
double copy_bandwidth(const WiredBackend& wired);

}  // namespace strata::app
