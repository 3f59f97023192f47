// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/watchdog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "parallel/comm/wrapper.hpp"
#include "strata/base/error.hpp"
#include "strata/base/log.hpp"

namespace strata::comm {
namespace {

using Clock = std::chrono::steady_clock;

// For work that has no event of its own.
class Flag final : public EventState {
 public:
  void raise() { raised_ = true; }
  bool ready() override { return raised_; }
  void wait() override {
    while (!raised_) std::this_thread::yield();
  }

 private:
  std::atomic<bool> raised_{false};
};

// The thread of one rank and what it looks at.
class Watch {
 public:
  Watch(std::shared_ptr<Communicator> root, std::chrono::milliseconds deadline)
      : root_(std::move(root)),
        deadline_(deadline),
        period_(std::clamp(deadline / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(500))) {
    thread_ = std::thread([this] { run(); });
  }

  ~Watch() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void add(std::string what, Event event) {
    if (event.state() == nullptr) return;
    const std::lock_guard lock(mutex_);
    entries_.push_back({std::move(what), std::move(event), Clock::now()});
  }

 private:
  struct Entry {
    std::string what;
    Event event;
    Clock::time_point begin;
  };

  void run() {
    set_thread_rank_label(root_->rank());
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, period_, [this] { return stop_; })) {
      std::erase_if(entries_, [](const Entry& entry) { return over(entry.event); });
      const auto stuck = std::find_if(entries_.begin(), entries_.end(),
                                      [this](const Entry& entry) { return Clock::now() - entry.begin > deadline_; });
      if (stuck == entries_.end()) continue;
      const auto seconds = std::chrono::duration<double>(Clock::now() - stuck->begin).count();
      const auto text = fmt::format("{}: not complete after {:.1f} s, {} other calls in flight", stuck->what, seconds,
                                    entries_.size() - 1);
      entries_.clear();
      lock.unlock();  // abort may call back, or wake those who add
      log(LogLevel::warning, "watchdog", text);
      root_->abort("watchdog: " + text);
      lock.lock();
    }
  }

  static bool over(const Event& event) {
    try {
      return event.ready();
    } catch (const std::exception&) {
      return true;  // whoever waits for it gets the error
    }
  }

  std::shared_ptr<Communicator> root_;
  std::chrono::milliseconds deadline_, period_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Entry> entries_;
  bool stop_ = false;
  std::thread thread_;
};

// Work on the caller's own thread that may get stuck: watched from here to the end of the scope.
class Underway {
 public:
  Underway(Watch& watch, std::string what) : done_(std::make_shared<Flag>()) {
    watch.add(std::move(what), Event(done_));
  }
  ~Underway() { done_->raise(); }
  Underway(const Underway&) = delete;
  Underway& operator=(const Underway&) = delete;

 private:
  std::shared_ptr<Flag> done_;
};

class WatchdogCommunicator final : public Wrapper {
 public:
  WatchdogCommunicator(std::shared_ptr<Communicator> communicator, std::shared_ptr<Watch> watch)
      : Wrapper(std::move(communicator)), watch_(std::move(watch)) {}

  std::unique_ptr<Communicator> split(int color, int key, std::string_view label) override {
    const Underway splitting(*watch_,
                             fmt::format("split '{}' of group '{}', rank {} of {}", label, name(), rank(), size()));
    return Wrapper::split(color, key, label);
  }

 protected:
  std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> child) override {
    return std::make_unique<WatchdogCommunicator>(std::move(child), watch_);
  }

  // A transport may wait for others before the call is on its way (NCCL, when it connects).
  Event start(const Call& call) override {
    const Underway starting(*watch_, describe(call));
    Event event = Wrapper::start(call);
    watch_->add(describe(call), event);
    return event;
  }

  std::vector<Event> start_batch(std::span<const Call> calls) override {
    const Underway starting(*watch_, calls.empty() ? "an empty batch" : "a batch from " + describe(calls.front()));
    auto events = Wrapper::start_batch(calls);
    for (std::size_t i = 0; i < calls.size(); ++i) watch_->add(describe(calls[i]), events[i]);
    return events;
  }

 private:
  std::string describe(const Call& call) const {
    return fmt::format("{}, call {} of group '{}', rank {} of {}, {} bytes", call.str(), call.number, name(), rank(),
                       size(), call.bytes());
  }

  std::shared_ptr<Watch> watch_;
};

}  // namespace

std::unique_ptr<Communicator> make_watchdog(std::shared_ptr<Communicator> inner, std::chrono::milliseconds deadline) {
  STRATA_CHECK(deadline.count() > 0, usage, "watchdog", "a watchdog needs a deadline above 0 ms");
  auto watch = std::make_shared<Watch>(inner, deadline);
  return std::make_unique<WatchdogCommunicator>(std::move(inner), std::move(watch));
}

}  // namespace strata::comm
