// SPDX-License-Identifier: Apache-2.0
//
// Streams and events, as CUDA means them: work put on one stream runs in order; an event marks a point that other
// streams, or the host, can wait for. Both are cheap handles to state that a backend (or a transport) owns. On a CPU
// backend a stream runs its work at once, on the caller's thread, so its events are complete when they are made; events
// of host transports (an MPI request in flight) are not.
#pragma once

#include <memory>

namespace strata {

class StreamState {
 public:
  virtual ~StreamState() = default;
};

class EventState {
 public:
  virtual ~EventState() = default;
  virtual bool ready() = 0;  // never blocks; throws the error of work that failed
  virtual void wait() = 0;   // blocks the calling host thread; throws likewise
  // Between two points of a device's streams; waits for both. Only between events of one backend's `record`.
  virtual double seconds_since(EventState& earlier);
};

// An undefined stream is the backend's default stream.
class Stream {
 public:
  Stream() = default;
  explicit Stream(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}
  StreamState* state() const { return state_.get(); }

 private:
  std::shared_ptr<StreamState> state_;
};

// An undefined event has already happened.
class Event {
 public:
  Event() = default;
  explicit Event(std::shared_ptr<EventState> state) : state_(std::move(state)) {}
  EventState* state() const { return state_.get(); }
  bool ready() const { return !state_ || state_->ready(); }
  void wait() const {
    if (state_) state_->wait();
  }

 private:
  std::shared_ptr<EventState> state_;
};

}  // namespace strata
