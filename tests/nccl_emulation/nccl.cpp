// SPDX-License-Identifier: Apache-2.0
//
// NCCL as meetings of stream threads. As strict as NCCL's documentation: communicators are non-blocking, a call on one
// that is in progress is refused, a group reaches its stream only when it is no longer in progress, and the first
// collective waits for all ranks to come (as NCCL does to connect them). Reductions in rank order.
#include <nccl.h>

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "parallel/comm/host_collectives.hpp"
#include "tests/nccl_emulation/cudart.hpp"
#include "tests/nccl_emulation/emulation.hpp"

namespace {

using strata::DType;
using strata::Tensor;
using strata::comm::Call;
using strata::comm::CallKind;
using strata::comm::Reduction;

struct Meeting {
  std::vector<Call> calls;
  std::vector<bool> arrived;
  std::size_t missing;
  bool done = false;
  explicit Meeting(std::size_t ranks) : calls(ranks), arrived(ranks, false), missing(ranks) {}
};

// The ranks of one id.
struct Clique {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> devices;  // by rank; -1: has not come
  int come = 0;
  int issued_first = 0;  // ranks whose first collective is on its way
  bool broken = false;   // the ranks did not call the same: nothing more is done
  std::map<long, std::shared_ptr<Meeting>> collectives;
  std::map<std::pair<int, int>, std::deque<std::shared_ptr<Meeting>>> messages;
};

struct Task {
  Call call;
  cudaStream_t stream;
};

struct World {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Clique>> cliques;
  std::set<ncclComm_t> open;
  std::multiset<ncclComm_t> registered;  // the communicator of each buffer
  std::set<int> failing;                 // devices
  int unreachable_device = -1;
  int ids = 0;
};

World& world() {
  static World value;
  return value;
}

}  // namespace

struct ncclComm {
  std::shared_ptr<Clique> clique;
  int rank, size, device;
  bool connected = false, finalized = false, issued_collective = false;
  ncclResult_t wrong = ncclSuccess;
  std::vector<Task> group{};    // of an open ncclGroupStart
  std::vector<Task> waiting{};  // launched when it is no longer in progress
  int polls_left = 0;
  long collectives = 0;
  std::shared_ptr<bool> aborted = std::make_shared<bool>(false);  // under the clique's mutex
};

namespace {

thread_local int depth = 0;
thread_local std::vector<ncclComm_t> grouped, aborted;  // of the open group

DType dtype_of(ncclDataType_t type) {
  switch (type) {
    case ncclFloat32: return DType::f32;
    case ncclFloat64: return DType::f64;
    case ncclBfloat16: return DType::bf16;
    case ncclInt32: return DType::i32;
    case ncclInt64: return DType::i64;
    default: return DType::u8;
  }
}

Reduction reduction_of(ncclRedOp_t op) {
  return op == ncclMax ? Reduction::max : op == ncclMin ? Reduction::min : Reduction::sum;
}

Tensor memory(const void* data, size_t count, ncclDataType_t type) {
  return Tensor::borrow(const_cast<void*>(data), dtype_of(type), {static_cast<std::int64_t>(count)});
}

bool is_device_failing(int device) {
  const std::lock_guard lock(world().mutex);
  return world().failing.contains(device);
}

void finish(Clique& clique, Meeting& meeting) {
  const bool message = meeting.calls.size() == 2 && !strata::comm::is_collective(meeting.calls[0].kind);
  std::string wrong;
  if (message)
    wrong = meeting.calls[0].input.spec() == meeting.calls[1].output.spec() ? "" : "a message of another size";
  else
    wrong = strata::comm::disagreement(meeting.calls);
  if (!wrong.empty()) {
    std::fprintf(stderr, "[nccl emulation] %s\n", wrong.c_str());
    clique.broken = true;
  } else if (message) {
    strata::comm::copy_on_host(meeting.calls[1].output, meeting.calls[0].input);
  } else {
    strata::comm::perform_on_host(meeting.calls);
  }
  meeting.done = true;
}

// With the clique's mutex.
std::shared_ptr<Meeting> join(ncclComm& comm, const Call& call, long number) {
  Clique& clique = *comm.clique;
  std::shared_ptr<Meeting> meeting;
  std::size_t place = static_cast<std::size_t>(comm.rank);
  if (strata::comm::is_collective(call.kind)) {
    auto& entry = clique.collectives[number];
    if (!entry) entry = std::make_shared<Meeting>(static_cast<std::size_t>(comm.size));
    meeting = entry;
  } else {
    const bool sends = call.kind == CallKind::send;
    place = sends ? 0 : 1;
    auto& queue = clique.messages[sends ? std::pair(comm.rank, call.peer) : std::pair(call.peer, comm.rank)];
    for (const auto& other : queue)
      if (!meeting && !other->arrived[place]) meeting = other;
    if (!meeting) queue.push_back(meeting = std::make_shared<Meeting>(2));
  }
  meeting->calls[place] = call;
  meeting->arrived[place] = true;
  if (--meeting->missing > 0) return meeting;
  if (strata::comm::is_collective(call.kind))
    clique.collectives.erase(number);
  else
    std::erase(clique.messages[call.kind == CallKind::send ? std::pair(comm.rank, call.peer)
                                                           : std::pair(call.peer, comm.rank)],
               meeting);
  finish(clique, *meeting);
  clique.changed.notify_all();
  return meeting;
}

// What a fused kernel does: begins all of its parts, then waits for all. On the stream's thread.
struct Kernel {
  ncclComm comm;  // a copy: the communicator may be gone when the kernel ends
  std::vector<Call> calls;
  long first_collective;

  void operator()() {
    if (is_device_failing(comm.device)) return hang();
    std::unique_lock lock(comm.clique->mutex);
    std::vector<std::shared_ptr<Meeting>> meetings;
    long number = first_collective;
    for (const auto& call : calls)
      meetings.push_back(join(comm, call, strata::comm::is_collective(call.kind) ? number++ : -1));
    for (const auto& meeting : meetings)
      comm.clique->changed.wait(lock, [&] { return meeting->done || *comm.aborted || comm.clique->broken; });
  }
  void hang() {
    std::unique_lock lock(comm.clique->mutex);
    comm.clique->changed.wait(lock, [&] { return *comm.aborted; });
  }
};

void launch(ncclComm& comm) {
  std::vector<Call> calls;
  long number = comm.collectives;
  for (const auto& task : comm.waiting) {
    calls.push_back(task.call);
    if (strata::comm::is_collective(task.call.kind)) ++comm.collectives;
  }
  const cudaStream_t stream = comm.waiting.front().stream;
  comm.waiting.clear();
  ncclComm copy = comm;
  strata::nccl_emulation::run_on(stream, Kernel{std::move(copy), std::move(calls), number});
}

// Have all ranks come whose first collective this waits for?
bool is_connected(ncclComm& comm) {
  const std::lock_guard lock(comm.clique->mutex);
  return comm.clique->issued_first >= comm.size || *comm.aborted;
}

ncclResult_t progress(ncclComm& comm) {
  if (comm.wrong != ncclSuccess) return comm.wrong;
  if (!comm.connected) {
    const std::lock_guard lock(comm.clique->mutex);
    if (comm.clique->come < comm.size) return ncclInProgress;
    const std::set<int> different(comm.clique->devices.begin(), comm.clique->devices.end());
    if (static_cast<int>(different.size()) < comm.size) return comm.wrong = ncclInvalidUsage;
    comm.connected = true;
  }
  if (comm.polls_left > 0 && --comm.polls_left > 0) return ncclInProgress;
  if (!comm.waiting.empty()) {
    if (comm.issued_collective && !is_connected(comm)) return ncclInProgress;
    launch(comm);
  }
  if (is_device_failing(comm.device)) return comm.wrong = ncclRemoteError;
  const std::lock_guard lock(comm.clique->mutex);
  return comm.clique->broken ? ncclInternalError : ncclSuccess;
}

bool in_progress(const ncclComm& comm) { return !comm.connected || comm.polls_left > 0 || !comm.waiting.empty(); }

ncclResult_t close_group(ncclComm& comm) {
  comm.waiting = std::move(comm.group);
  comm.group.clear();
  comm.polls_left = 3;
  for (const auto& task : comm.waiting) {
    if (!strata::comm::is_collective(task.call.kind) || comm.issued_collective) continue;
    comm.issued_collective = true;
    const std::lock_guard lock(comm.clique->mutex);
    ++comm.clique->issued_first;
  }
  return ncclInProgress;
}

ncclResult_t add(ncclComm_t comm, Call call, cudaStream_t stream) {
  if (comm->wrong != ncclSuccess) return comm->wrong;
  if (in_progress(*comm) || comm->finalized) return ncclInvalidArgument;
  if (strata::nccl_emulation::device_of(stream) != comm->device) return ncclInvalidArgument;
  if (call.input.numel() == 0 && call.output.numel() == 0) return ncclSuccess;
  comm->group.push_back({std::move(call), stream});
  if (depth == 0) return close_group(*comm);
  if (std::find(grouped.begin(), grouped.end(), comm) == grouped.end()) grouped.push_back(comm);
  return ncclSuccess;
}

// Frees memory, so it waits for all that is on the device, of other communicators, too.
ncclResult_t release(ncclComm_t comm) {
  strata::nccl_emulation::wait_for_device(comm->device);
  const std::lock_guard lock(world().mutex);
  world().registered.erase(comm);
  if (world().open.erase(comm) == 0) return ncclInvalidArgument;
  delete comm;
  return ncclSuccess;
}

}  // namespace

namespace strata::nccl_emulation {

int open_communicators() {
  const std::lock_guard lock(world().mutex);
  return static_cast<int>(world().open.size());
}
int registered_buffers() {
  const std::lock_guard lock(world().mutex);
  return static_cast<int>(world().registered.size());
}
void fail_on_device(int device) {
  const std::lock_guard lock(world().mutex);
  if (device < 0)
    world().failing.clear();
  else
    world().failing.insert(device);
}
void fail_to_connect(int device) {
  const std::lock_guard lock(world().mutex);
  world().unreachable_device = device;
}

}  // namespace strata::nccl_emulation

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t code) {
  return code == ncclRemoteError ? "remote process exited" : code == ncclInvalidUsage ? "invalid usage" : "an error";
}
const char* ncclGetLastError(ncclComm_t) { return "said by the emulation"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::lock_guard lock(world().mutex);
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "clique %d", ++world().ids);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (config->magic != 0xcafebeef || config->blocking != 0) return ncclInvalidArgument;  // as the transport wants it
  const int device = strata::nccl_emulation::current_device();
  const std::lock_guard lock(world().mutex);
  auto& clique = world().cliques[id.internal];
  if (!clique) {
    clique = std::make_shared<Clique>();
    clique->devices.assign(static_cast<std::size_t>(size), -1);
  }
  *comm = new ncclComm{.clique = clique, .rank = rank, .size = size, .device = device};
  world().open.insert(*comm);
  const std::lock_guard inner(clique->mutex);
  clique->devices[static_cast<std::size_t>(rank)] = device;
  if (world().unreachable_device != device) ++clique->come;
  if (clique->come == size) world().cliques.erase(id.internal);
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  *state = progress(*comm);
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  if (in_progress(*comm) || comm->finalized) return ncclInvalidArgument;
  comm->finalized = true;
  comm->polls_left = 3;
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (in_progress(*comm)) return ncclInvalidArgument;
  return release(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  {
    const std::lock_guard lock(comm->clique->mutex);
    *comm->aborted = true;
    comm->clique->changed.notify_all();
  }
  if (depth == 0) return release(comm);
  aborted.push_back(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommRegister(ncclComm_t comm, void* data, size_t bytes, void** handle) {
  if (in_progress(*comm) || data == nullptr || bytes == 0) return ncclInvalidArgument;
  const std::lock_guard lock(world().mutex);
  world().registered.insert(comm);
  *handle = data;
  return ncclSuccess;
}
ncclResult_t ncclCommDeregister(ncclComm_t comm, void*) {
  const std::lock_guard lock(world().mutex);
  const auto one = world().registered.find(comm);
  if (one == world().registered.end()) return ncclInvalidArgument;
  world().registered.erase(one);
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  if (depth == 0) return ncclInvalidUsage;
  if (--depth > 0) return ncclSuccess;
  const auto comms = std::move(grouped);
  grouped.clear();
  for (const ncclComm_t comm : std::exchange(aborted, {})) release(comm);
  for (const ncclComm_t comm : comms) close_group(*comm);
  return comms.empty() ? ncclSuccess : ncclInProgress;
}

ncclResult_t ncclAllReduce(const void* in, void* out, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  return add(comm,
             {.kind = CallKind::all_reduce,
              .input = memory(in, count, type),
              .output = memory(out, count, type),
              .reduction = reduction_of(op)},
             stream);
}

ncclResult_t ncclReduce(const void* in, void* out, size_t count, ncclDataType_t type, ncclRedOp_t op, int root,
                        ncclComm_t comm, cudaStream_t stream) {
  if (comm->rank == root && out == nullptr) return ncclInvalidArgument;
  return add(comm,
             {.kind = CallKind::reduce,
              .input = memory(in, count, type),
              .output = memory(comm->rank == root ? out : in, count, type),
              .reduction = reduction_of(op),
              .peer = root},
             stream);
}

ncclResult_t ncclBroadcast(const void* in, void* out, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream) {
  return add(
      comm,
      {.kind = CallKind::broadcast, .input = memory(in, count, type), .output = memory(out, count, type), .peer = root},
      stream);
}

ncclResult_t ncclReduceScatter(const void* in, void* out, size_t count, ncclDataType_t type, ncclRedOp_t op,
                               ncclComm_t comm, cudaStream_t stream) {
  const auto size = static_cast<std::size_t>(comm->size);
  return add(comm,
             {.kind = CallKind::reduce_scatter,
              .input = memory(in, count * size, type),
              .output = memory(out, count, type),
              .reduction = reduction_of(op),
              .counts = std::vector<std::int64_t>(size, static_cast<std::int64_t>(count))},
             stream);
}

ncclResult_t ncclAllGather(const void* in, void* out, size_t count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream) {
  const auto size = static_cast<std::size_t>(comm->size);
  return add(comm,
             {.kind = CallKind::all_gather,
              .input = memory(in, count, type),
              .output = memory(out, count * size, type),
              .counts = std::vector<std::int64_t>(size, static_cast<std::int64_t>(count))},
             stream);
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return add(comm, {.kind = CallKind::send, .input = memory(data, count, type), .peer = peer}, stream);
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream) {
  return add(comm, {.kind = CallKind::recv, .output = memory(data, count, type), .peer = peer}, stream);
}

}  // extern "C"
