// SPDX-License-Identifier: Apache-2.0
//
// A loader's micro-batches on the device, ready to be encoded. While a device works on one, `ahead` takes the next from
// the loader, makes its texts and plans on the host and sends its voxels on a stream of their own; that costs the
// device memory for the stored voxels of up to three micro-batches. On host memory nothing is gained by that, and
// `ahead` does nothing.
#pragma once

#include <deque>
#include <exception>
#include <optional>

#include "strata/data/loader.hpp"
#include "strata/engine/micro_batch.hpp"

namespace strata::engine {

struct Fed {
  objectives::MicroBatch batch;
  bool empty = false;  // this rank has no studies in the round
  bool last_of_step = false;
  std::int64_t step_studies = 0;  // data::Batch
};

class Feed {
 public:
  // All of it outlives the feed. `seed`: the trainer's.
  Feed(Context& ctx, data::Loader& loader, TextReading reading, objectives::Objective& objective, std::uint64_t seed);

  // Later work on the context's stream finds it there. Errors of the loader, also those that `ahead` met.
  Fed next();
  void ahead();
  // The loader's, as if what was taken ahead were still to come.
  data::LoaderState state() const { return taken_ ? before_ : loader_.state(); }

 private:
  struct Taken {
    Fed fed;
    data::Batch source;  // until it is sent
    Event sent, ready;
    std::exception_ptr error;
  };
  Taken take();
  void make(Taken& taken);

  Context& ctx_;
  data::Loader& loader_;
  TextReading reading_;
  objectives::Objective& objective_;
  std::uint64_t seed_;
  bool is_host_;
  Context way_;  // the stream that batches travel on
  std::optional<Taken> taken_;
  data::LoaderState before_;
  std::deque<Taken> lent_;  // whose memory waits for its last use
  Event used_;              // of all memory that went back to way_
};

}  // namespace strata::engine
