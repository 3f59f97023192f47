// SPDX-License-Identifier: Apache-2.0
//
// Narrow interface 2: a group of ranks that exchange tensors. What for: every exchange between ranks in Strata. When
// not: threads of one rank (share memory), files (strata/io). No vendor type appears here; transports (local, thread,
// MPI, NCCL) and wrappers stand in parallel/comm.
//
// Words. A *rank* is a member of a group, numbered 0 .. size-1. A *collective* is called by all ranks of the group;
// *send* and *recv* by two.
//
// Events. Every call returns at once (the work may not have begun) with an Event that is ready when the outputs hold
// the result and the inputs may be written again. Until then neither may be touched, nor given to another call: order
// between calls is for matching, it does not make one call see the results of the one before. Portable code says
// `backend.wait(stream, event)`. Work queued earlier on `stream` is done before the call reads its input. An event may
// be dropped: the call goes on, and the transport keeps the tensors alive until it is done. Events may be asked and
// waited for from any thread; host transports make progress only while somebody asks.
//
// Order. All ranks of a group issue the same collectives in the same order; sends between two ranks with one tag arrive
// in order; collectives, sends and receives do not wait for each other. Different groups are independent, also from
// different threads; one communicator is used by one thread at a time.
// Device tensors over NCCL (parallel/comm/nccl.hpp) ask for more: one order of the calls of all groups, exchanges in
// both directions in batches, and tag 0.
//
// Checks. Shapes, types, devices and peers are checked before anything moves (usage errors, thrown by the call itself).
// Ranks that call different things: the thread transport always finds it and names ranks and calls; MPI finds it under
// the checking wrapper. Failures of others are communication errors, deadlines timeout errors; both are thrown by the
// event. After either, the group is unusable: leave, or abort.
//
// Types: every DType (NCCL: no arithmetic on i16). Integers wrap. bf16 is added in f32 and rounded once a combination
// (the thread transport: once). max and min of NaN: unspecified.
//
// Determinism: the same call on the same group gives the same bits on all ranks, and again in the next run. The thread
// transport adds in rank order, ((x0 + x1) + x2) + ...; MPI adds in an order of the library's choosing that depends on
// size and count, and so does NCCL (of the devices, too). An average is the caller's: scale.
//
// A group of one is a normal case: collectives copy input to output, or do nothing in place.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "strata/comm/call.hpp"

namespace strata::comm {

using Counts = std::vector<std::int64_t>;

inline constexpr int kMaxTag = 32000;  // MPI promises 32767; the rest is for transports

class Batch;

class Communicator {
 public:
  virtual ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual const std::string& name() const = 0;          // "world", "world/data.1": for people
  virtual std::string_view transport() const = 0;       // "local", "thread", "mpi", "nccl", "staged"
  virtual bool serves(const Device& device) const = 0;  // takes tensors that lie there

  // Collective; waits. Ranks with one color form a group, ordered by (key, rank). color < 0: in no group, nullptr.
  // `label` names the children.
  virtual std::unique_ptr<Communicator> split(int color, int key, std::string_view label) = 0;
  std::unique_ptr<Communicator> split(int color, int key) { return split(color, key, "split"); }

  // Every rank gets the sum (max, min) over ranks. Same shape everywhere; in place, or apart.
  Event all_reduce(const Tensor& in_out, Reduction reduction = Reduction::sum, const Stream& stream = {});
  Event all_reduce(const Tensor& in, const Tensor& out, Reduction reduction = Reduction::sum,
                   const Stream& stream = {});
  // The root gets it in place; other ranks' tensors are read only.
  Event reduce(const Tensor& in_out, int root, Reduction reduction = Reduction::sum, const Stream& stream = {});
  // Rank r gets rows [offset_r, offset_r + counts[r]) of the sum. in [sum of counts, ...], out [counts[rank], ...]; no
  // counts: equal parts. In place: out is this rank's rows of in (the other rows of in are then left undefined).
  Event reduce_scatter(const Tensor& in, const Tensor& out, Reduction reduction = Reduction::sum,
                       const Stream& stream = {}, Counts counts = {});
  // Ranks' rows one behind the other. in [counts[rank], ...], out [sum of counts, ...]; no counts: equal parts. In
  // place: in is this rank's rows of out.
  Event all_gather(const Tensor& in, const Tensor& out, const Stream& stream = {}, Counts counts = {});
  Event broadcast(const Tensor& in_out, int root, const Stream& stream = {});
  // Row block r of `in` (send_counts[r] rows) goes to rank r; row block r of `out` (recv_counts[r] rows) comes from
  // rank r. Not in place.
  Event all_to_all(const Tensor& in, Counts send_counts, const Tensor& out, Counts recv_counts,
                   const Stream& stream = {});
  // To and from another rank (not oneself). A send may stay unready until the other side receives. Shapes and types of
  // both sides agree.
  Event send(const Tensor& in, int to, int tag = 0, const Stream& stream = {});
  Event recv(const Tensor& out, int from, int tag = 0, const Stream& stream = {});
  // Ready when all ranks have called it.
  Event barrier(const Stream& stream = {});

  // Scope guard: calls made while it lives begin together when it ends (NCCL's groups; needed there for exchanges in
  // both directions).
  Batch batch();

  // A hint, on every rank of the group alike: this memory will be given to many calls. A transport may keep it
  // registered with its network; the tensor then lives as long as the communicator.
  virtual void will_reuse(const Tensor& buffer) { (void)buffer; }

  // Ends the job: other ranks stop waiting. thread: their waits throw an error with this reason; MPI: prints the reason
  // and kills all processes (exit code 6), does not return. May be called from any thread.
  virtual void abort(std::string_view reason) = 0;

  // The transport's own object, if it is of this kind, else nullptr. "MPI_Comm": a pointer to the MPI_Comm, valid as
  // long as this object. For io/hdf5.
  virtual const void* native_handle(std::string_view kind) const = 0;

  // Checks, numbers and starts (or queues) a call: what the typed methods do, and how a wrapper passes a call on.
  Event submit(Call call);

 protected:
  Communicator() = default;

  // The transport's side; calls arrive checked, counts filled in, in the order of their numbers.
  virtual Event start(const Call& call) = 0;
  // Of a batch; NCCL groups them.
  virtual std::vector<Event> start_batch(std::span<const Call> calls);

 private:
  friend class Batch;
  class QueuedEvent;
  struct Queued {
    Call call;
    std::shared_ptr<QueuedEvent> event;
  };
  Event end_batch();

  std::int64_t next_number_ = 0;
  int open_batches_ = 0;
  std::vector<Queued> queued_;
};

// Waiting for a queued call before the batch has ended is a usage error. Batches nest; the outermost starts the calls.
// Leaving the scope by an exception drops the queued calls.
class [[nodiscard]] Batch {
 public:
  explicit Batch(Communicator& communicator);
  ~Batch() noexcept(false);
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  Event end();  // ready when all calls of the batch are; an inner batch returns a ready event

 private:
  Communicator* communicator_;
  int exceptions_;
};

inline Batch Communicator::batch() { return Batch(*this); }

// Ready when all are.
Event all_of(std::vector<Event> events);

}  // namespace strata::comm
