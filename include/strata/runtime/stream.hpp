// SPDX-License-Identifier: Apache-2.0
//
// Streams and events, as CUDA means them: work put on one stream runs in order; an event marks a point that other
// streams, or the host, can wait for. Both are cheap handles to state that a backend (or a transport) owns. On a CPU
// backend a stream runs its work at once, on the caller's thread, so its events are complete when they are made; events
// of host transports (an MPI request in flight) are not.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace strata {

class Event;

enum class StreamPriority : std::uint8_t { normal, high };  // high: its work goes first where a device must choose

class StreamState {
 public:
  virtual ~StreamState() = default;
  // The backend's own object, if it is of this kind ("cudaStream_t": the handle itself), else nullptr. For transports
  // that put work on a stream by the device's own library.
  virtual void* native(std::string_view kind) {
    (void)kind;
    return nullptr;
  }
};

class EventState {
 public:
  virtual ~EventState() = default;
  virtual bool ready() = 0;  // never blocks; throws the error of work that failed
  virtual void wait() = 0;   // blocks the calling host thread; throws likewise
  // Between two points of a device's streams; waits for both. Only between events of one backend's `record`.
  virtual double seconds_since(EventState& earlier);
  // The events that have all happened when, and only when, this one has: a backend that knows those lets a stream wait
  // for them in place of the host. Empty: this one is its own.
  virtual std::vector<Event> parts() const;
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

inline std::vector<Event> EventState::parts() const { return {}; }

}  // namespace strata
