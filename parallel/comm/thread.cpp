// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/thread.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "parallel/comm/host_collectives.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

// What all groups of one run share. One mutex for everything: contention is not the point here.
struct World {
  explicit World(int ranks, const ThreadOptions& run)
      : options(run), returned(static_cast<std::size_t>(ranks), false) {}

  const ThreadOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> returned;  // by world rank
  std::string aborted;         // why; empty: it is not
  int first_failed = -1;       // world rank

  void abort(std::string reason) {
    const std::lock_guard lock(mutex);
    if (aborted.empty()) aborted = std::move(reason);
    changed.notify_all();
  }
};

// One call in the making: complete when all who take part have issued it.
struct Meeting {
  std::vector<int> expected;  // group ranks who take part
  std::vector<Call> calls;    // beside `expected`
  std::vector<bool> arrived;
  std::size_t missing = 0;
  bool done = false;
  std::string error;  // done, but without effect

  explicit Meeting(std::vector<int> ranks)
      : expected(std::move(ranks)), calls(expected.size()), arrived(expected.size(), false), missing(expected.size()) {}

  void arrive(std::size_t place, const Call& call) {
    calls[place] = call;
    arrived[place] = true;
    --missing;
  }
};

struct Group {
  std::shared_ptr<World> world;
  std::string name;
  std::vector<int> members;                                      // world ranks
  std::map<std::int64_t, std::shared_ptr<Meeting>> collectives;  // by the ranks' count of collectives
  std::map<std::tuple<int, int, int>, std::deque<std::shared_ptr<Meeting>>>
      messages;  // (from, to, tag) -> those with one side there
  std::map<std::pair<std::int64_t, int>, std::pair<std::shared_ptr<Group>, int>>
      children;  // (split, color) -> group, members yet to take it

  std::vector<int> all() const {
    std::vector<int> ranks(members.size());
    for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = static_cast<int>(i);
    return ranks;
  }
};

// Looks at a meeting from one rank's side.
class ThreadEvent final : public EventState {
 public:
  ThreadEvent(std::shared_ptr<Group> group, std::shared_ptr<Meeting> meeting, Call call)
      : group_(std::move(group)), meeting_(std::move(meeting)), what_(call.str()), number_(call.number) {}

  bool ready() override {
    const std::lock_guard lock(group_->world->mutex);
    return finished();
  }

  void wait() override {
    World& world = *group_->world;
    std::unique_lock lock(world.mutex);
    const auto done = [this] { return finished(); };
    if (world.options.deadline.count() <= 0) {
      world.changed.wait(lock, done);
    } else if (!world.changed.wait_for(lock, world.options.deadline, done)) {
      give_up(world);
    }
  }

 private:
  // The memory of a rank that has given up may be gone: latecomers must not complete the call.
  [[noreturn]] void give_up(const World& world) {
    const auto text = fmt::format("{} is not complete after {} ms: {} not called it", describe(),
                                  world.options.deadline.count(), have(absent()));
    meeting_->error = fmt::format("given up by a rank that waited for it: {}", text);
    meeting_->done = true;
    fail(ErrorKind::timeout, "thread transport", text,
         "look at what these ranks do instead; the tracing wrapper lists their calls");
  }

  // Throws when it never will be. Mutex held.
  bool finished() const {
    if (meeting_->done && !meeting_->error.empty()) fail(ErrorKind::communication, "thread transport", meeting_->error);
    if (meeting_->done) return true;
    const World& world = *group_->world;
    if (!world.aborted.empty() && meeting_->missing > 0) {
      fail(ErrorKind::communication, "thread transport", fmt::format("{} was given up: {}", describe(), world.aborted));
    }
    for (const int rank : absent()) {
      if (world.returned[static_cast<std::size_t>(group_->members[static_cast<std::size_t>(rank)])]) {
        fail(ErrorKind::communication, "thread transport",
             fmt::format("{} cannot complete: rank {} has left", describe(), rank),
             "all ranks of a group issue the same calls");
      }
    }
    return false;
  }

  std::vector<int> absent() const {
    std::vector<int> ranks;
    for (std::size_t i = 0; i < meeting_->expected.size(); ++i) {
      if (!meeting_->arrived[i]) ranks.push_back(meeting_->expected[i]);
    }
    return ranks;
  }
  static std::string have(const std::vector<int>& ranks) {
    return fmt::format("{} {} {}", ranks.size() == 1 ? "rank" : "ranks", fmt::join(ranks, ", "),
                       ranks.size() == 1 ? "has" : "have");
  }
  std::string describe() const { return fmt::format("{} (call {} of group '{}')", what_, number_, group_->name); }

  std::shared_ptr<Group> group_;
  std::shared_ptr<Meeting> meeting_;
  std::string what_;
  std::int64_t number_;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(group_->members.size()); }
  const std::string& name() const override { return group_->name; }
  std::string_view transport() const override { return "thread"; }
  bool serves(const Device& device) const override { return device == Device{}; }
  void abort(std::string_view reason) override {
    group_->world->abort(fmt::format("rank {} of '{}' aborted: {}", rank_, group_->name, reason));
  }
  const void* native_handle(std::string_view) const override { return nullptr; }
  std::unique_ptr<Communicator> split(int color, int key, std::string_view label) override;

 protected:
  Event start(const Call& call) override;

 private:
  std::shared_ptr<Meeting> join_collective(const Call& call);
  std::shared_ptr<Meeting> join_message(const Call& call);
  void complete(Meeting& meeting, std::int64_t number);
  std::shared_ptr<Group> take_child(int color, const std::vector<int>& members, std::string_view label);

  std::shared_ptr<Group> group_;
  int rank_;
  std::int64_t collectives_ = 0;
  std::int64_t splits_ = 0;
};

Event ThreadCommunicator::start(const Call& call) {
  std::shared_ptr<Meeting> meeting;
  bool last = false;
  {
    const std::lock_guard lock(group_->world->mutex);
    const auto& aborted = group_->world->aborted;
    STRATA_CHECK(aborted.empty(), communication, "thread transport",
                 fmt::format("{} on group '{}' was not begun: {}", call.str(), group_->name, aborted));
    meeting = is_collective(call.kind) ? join_collective(call) : join_message(call);
    last = meeting->missing == 0 && !meeting->done;
  }
  if (last) complete(*meeting, call.number);
  return Event(std::make_shared<ThreadEvent>(group_, meeting, call));
}

std::shared_ptr<Meeting> ThreadCommunicator::join_collective(const Call& call) {
  const auto number = collectives_++;
  auto& entry = group_->collectives[number];
  if (!entry) entry = std::make_shared<Meeting>(group_->all());
  auto meeting = entry;
  meeting->arrive(static_cast<std::size_t>(rank_), call);
  if (meeting->missing == 0) group_->collectives.erase(number);
  return meeting;
}

// The sender is place 0, the receiver place 1. Only one kind of side waits in a queue at a time.
std::shared_ptr<Meeting> ThreadCommunicator::join_message(const Call& call) {
  const bool sends = call.kind == CallKind::send;
  const int from = sends ? rank_ : call.peer, to = sends ? call.peer : rank_;
  const std::size_t place = sends ? 0 : 1;
  auto& queue = group_->messages[{from, to, call.tag}];
  std::shared_ptr<Meeting> meeting;
  if (!queue.empty() && !queue.front()->arrived[place]) {
    meeting = queue.front();
    queue.pop_front();
    if (queue.empty()) group_->messages.erase({from, to, call.tag});
  } else {
    meeting = std::make_shared<Meeting>(std::vector<int>{from, to});
    queue.push_back(meeting);
  }
  meeting->arrive(place, call);
  return meeting;
}

std::string message_disagreement(const Call& send, const Call& recv) {
  if (send.input.spec() == recv.output.spec()) return {};
  return fmt::format("rank {} called {}, rank {} called {}", recv.peer, send.str(), send.peer, recv.str());
}

// Outside the lock: everybody has arrived, so nobody else touches the meeting, and no other group is held up.
void ThreadCommunicator::complete(Meeting& meeting, std::int64_t number) {
  const bool message = !is_collective(meeting.calls.front().kind);
  auto wrong = message ? message_disagreement(meeting.calls[0], meeting.calls[1]) : disagreement(meeting.calls);
  if (!wrong.empty()) {
    wrong = fmt::format("call {} of group '{}': {}", number, group_->name, wrong);
  } else if (message) {
    copy_on_host(meeting.calls[1].output, meeting.calls[0].input);
  } else {
    perform_on_host(meeting.calls);
  }
  const std::lock_guard lock(group_->world->mutex);
  meeting.error = std::move(wrong);
  meeting.done = true;
  meeting.calls.clear();  // an event may be kept longer than the tensors should live
  group_->world->changed.notify_all();
}

std::unique_ptr<Communicator> ThreadCommunicator::split(int color, int key, std::string_view label) {
  std::vector<std::int64_t> mine{color, key}, all(2 * group_->members.size());
  submit({.kind = CallKind::all_gather,
          .input = Tensor::borrow(mine.data(), DType::i64, {1, 2}),
          .output = Tensor::borrow(all.data(), DType::i64, {static_cast<std::int64_t>(group_->members.size()), 2})})
      .wait();
  ++splits_;
  if (color < 0) return nullptr;
  std::vector<std::pair<std::int64_t, int>> order;  // (key, rank here)
  for (std::size_t r = 0; r < group_->members.size(); ++r) {
    if (all[2 * r] == color) order.emplace_back(all[2 * r + 1], static_cast<int>(r));
  }
  std::sort(order.begin(), order.end());
  std::vector<int> members;
  int rank = -1;
  for (const auto& [_, parent] : order) {
    if (parent == rank_) rank = static_cast<int>(members.size());
    members.push_back(group_->members[static_cast<std::size_t>(parent)]);
  }
  return std::make_unique<ThreadCommunicator>(take_child(color, members, label), rank);
}

// The first member of a new group to come here makes it; the last takes it out.
std::shared_ptr<Group> ThreadCommunicator::take_child(int color, const std::vector<int>& members,
                                                      std::string_view label) {
  const std::lock_guard lock(group_->world->mutex);
  auto& [child, takers] = group_->children[{splits_, color}];
  if (!child) {
    child = std::make_shared<Group>();
    child->world = group_->world;
    child->name = fmt::format("{}/{}.{}", group_->name, label, color);
    child->members = members;
    takers = static_cast<int>(members.size());
  }
  auto taken = child;
  if (--takers == 0) group_->children.erase({splits_, color});
  return taken;
}

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

std::exception_ptr run_rank(const std::shared_ptr<Group>& group, int rank,
                            const std::function<void(Communicator&)>& body) {
  set_thread_rank_label(rank);
  World& world = *group->world;
  std::exception_ptr error;
  try {
    ThreadCommunicator communicator(group, rank);
    body(communicator);
  } catch (...) {
    error = std::current_exception();
    {
      const std::lock_guard lock(world.mutex);
      if (world.first_failed < 0) world.first_failed = rank;
    }
    world.abort(fmt::format("rank {} threw: {}", rank, message_of(error)));
  }
  const std::lock_guard lock(world.mutex);
  world.returned[static_cast<std::size_t>(rank)] = true;
  world.changed.notify_all();
  return error;
}

std::vector<std::exception_ptr> run(const std::shared_ptr<Group>& group,
                                    const std::function<void(Communicator&)>& body) {
  std::vector<std::exception_ptr> errors(group->members.size());
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < errors.size(); ++r) {
    threads.emplace_back([&, r] { errors[r] = run_rank(group, static_cast<int>(r), body); });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

std::shared_ptr<Group> make_world(int ranks, const ThreadOptions& options) {
  STRATA_CHECK(ranks >= 1, usage, "thread transport", fmt::format("cannot run {} ranks", ranks));
  auto group = std::make_shared<Group>();
  group->world = std::make_shared<World>(ranks, options);
  group->name = options.name;
  group->members.resize(static_cast<std::size_t>(ranks));
  group->members = group->all();
  return group;
}

}  // namespace

std::vector<std::exception_ptr> run_thread_ranks(int ranks, const std::function<void(Communicator&)>& body,
                                                 const ThreadOptions& options) {
  return run(make_world(ranks, options), body);
}

void run_thread_ranks_or_throw(int ranks, const std::function<void(Communicator&)>& body,
                               const ThreadOptions& options) {
  const auto group = make_world(ranks, options);
  const auto errors = run(group, body);
  if (group->world->first_failed >= 0)
    std::rethrow_exception(errors[static_cast<std::size_t>(group->world->first_failed)]);
}

}  // namespace strata::comm
