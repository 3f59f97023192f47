// SPDX-License-Identifier: Apache-2.0
#include "engine/feed.hpp"

#include "strata/base/error.hpp"

namespace strata::engine {
namespace {

bool is_last_handle(const objectives::MicroBatch& batch) { return batch.studies.scans.storage().use_count() == 1; }

}  // namespace

Feed::Feed(Context& ctx, data::Loader& loader, TextReading reading, objectives::Objective& objective,
           std::uint64_t seed)
    : ctx_(ctx),
      loader_(loader),
      reading_(std::move(reading)),
      objective_(objective),
      seed_(seed),
      is_host_(ctx.backend().device().kind == DeviceKind::host),
      way_(is_host_ ? ctx : ctx.on(ctx.backend().make_stream())) {}

Feed::Taken Feed::take() {
  auto batch = loader_.next();
  STRATA_CHECK(batch.has_value(), internal, "trainer", "the loader came to an end");
  Taken taken;
  taken.source = std::move(*batch);
  taken.fed.empty = taken.source.empty();
  taken.fed.last_of_step = taken.source.last_of_step();
  taken.fed.step_studies = taken.source.step_studies;
  if (!taken.fed.empty) make(taken);
  return taken;
}

void Feed::make(Taken& taken) {
  auto [scans, sent] = way_.send(taken.source.scans);
  taken.sent = std::move(sent);
  taken.fed.batch = micro_batch(std::move(scans), taken.source, reading_);
  autograd::Tape tape(way_, {.record = false, .seed = seed_});
  objective_.prepare(tape, taken.fed.batch);
  taken.ready = way_.backend().record(way_.stream());
  if (is_host_) taken.source = {};  // its memory goes back to the loader
}

Fed Feed::next() {
  if (is_host_) return take().fed;
  // What nobody else holds any more was used by work that is on the stream by now. Its memory serves way_ again, which
  // therefore waits for that work.
  std::erase_if(lent_, [](const Taken& lent) { return is_last_handle(lent.fed.batch); });
  used_ = ctx_.backend().record(ctx_.stream());
  if (!taken_) {
    way_.backend().wait(way_.stream(), used_);
    taken_ = take();
  }
  Taken taken = std::move(*taken_);
  taken_.reset();
  if (taken.error) std::rethrow_exception(taken.error);
  if (taken.fed.empty) return taken.fed;
  ctx_.backend().wait(ctx_.stream(), taken.ready);
  Fed fed = taken.fed;
  lent_.push_back(std::move(taken));
  return fed;
}

void Feed::ahead() {
  if (is_host_ || taken_) return;
  for (auto& lent : lent_) {
    lent.sent.wait();  // long ago: what was sent is being worked on
    lent.source = {};
  }
  before_ = loader_.state();
  way_.backend().wait(way_.stream(), used_);
  try {
    taken_ = take();
  } catch (...) {
    taken_.emplace().error = std::current_exception();
  }
}

}  // namespace strata::engine
