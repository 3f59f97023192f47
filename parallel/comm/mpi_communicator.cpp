// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/mpi_communicator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "parallel/comm/host_collectives.hpp"
#include "parallel/comm/mpi_check.hpp"
#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "strata/runtime/context.hpp"

namespace strata::comm {
namespace {

// Tags above kMaxTag are ours: exchanges between pairs that belong to a collective. Collectives are issued in one
// order, so one tag a kind is enough.
constexpr int kGatherTag = kMaxTag + 1;
constexpr int kExchangeTag = kMaxTag + 2;

std::byte* at(const Tensor& tensor, std::int64_t element) {
  return static_cast<std::byte*>(tensor.raw()) + static_cast<std::size_t>(element) * size_of(tensor.dtype());
}

bool in_place(const Call& call) { return call.input.raw() == call.output.raw(); }

// Rows a rank -> elements a rank, as MPI wants them.
void fill_counts(const Call& call, const std::vector<std::int64_t>& offsets, MpiOperation& operation) {
  const auto row = row_elements(call.input);
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    operation.counts.push_back(static_cast<int>((offsets[r + 1] - offsets[r]) * row));
    operation.displacements.push_back(static_cast<int>(offsets[r] * row));
  }
}

}  // namespace

MpiCommunicator::MpiCommunicator(MPI_Comm comm, std::string name, const MpiOptions& options,
                                 std::shared_ptr<MpiReductions> reductions)
    : comm_(comm), name_(std::move(name)), options_(options), reductions_(std::move(reductions)) {
  STRATA_MPI(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN));
  STRATA_MPI(MPI_Comm_rank(comm_, &rank_));
  STRATA_MPI(MPI_Comm_size(comm_, &size_));
}

// Left by an exception the job is going to be aborted: the others may never come, so nothing is waited for and nothing
// freed.
MpiCommunicator::~MpiCommunicator() {
  if (std::uncaught_exceptions() > 0) return;
  drain();
  MPI_Comm_free(&comm_);
}

void MpiCommunicator::drain() noexcept {
  for (const auto& operation : in_flight_) {
    try {
      operation->wait();
    } catch (const std::exception& error) {
      log(LogLevel::warning, "mpi", error.what());
    }
  }
  in_flight_.clear();
}

// MPI 3.1 has no split that can be polled: the barrier before it meets the deadline, and afterwards the split does not
// wait for anybody.
std::unique_ptr<Communicator> MpiCommunicator::split(int color, int key, std::string_view label) {
  barrier().wait();
  MPI_Comm child = MPI_COMM_NULL;
  STRATA_MPI(MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, key, &child));
  if (child == MPI_COMM_NULL) return nullptr;
  return std::make_unique<MpiCommunicator>(child, fmt::format("{}/{}.{}", name_, label, color), options_, reductions_);
}

void MpiCommunicator::abort(std::string_view reason) {
  fmt::print(stderr, "[mpi] rank {} of '{}' ends the job: {}\n", rank_, name_, reason);
  std::fflush(stderr);
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(ErrorKind::communication));
}

Event MpiCommunicator::start(const Call& call) {
  auto operation = std::make_shared<MpiOperation>(call, name_, size_, options_.deadline);
  begin(call, *operation);
  keep(operation);
  return Event(operation);
}

void MpiCommunicator::keep(std::shared_ptr<MpiOperation> operation) {
  std::erase_if(in_flight_, [](const auto& other) { return other->finished(); });
  in_flight_.push_back(std::move(operation));
}

void MpiCommunicator::begin(const Call& call, MpiOperation& operation) {
  switch (call.kind) {
    case CallKind::all_reduce: return begin_all_reduce(call, operation);
    case CallKind::reduce: return begin_reduce(call, operation);
    case CallKind::reduce_scatter: return begin_reduce_scatter(call, operation);
    case CallKind::all_gather: return begin_all_gather(call, operation);
    case CallKind::broadcast: return begin_broadcast(call, operation);
    case CallKind::all_to_all: return begin_all_to_all(call, operation);
    case CallKind::send: return send_pieces(call.input, call.peer, call.tag, operation);
    case CallKind::recv: return recv_pieces(call.output, call.peer, call.tag, operation);
    case CallKind::barrier: STRATA_MPI(MPI_Ibarrier(comm_, operation.add_request()));
  }
}

// A tensor without elements is one empty piece, so that both sides of a message still meet.
void MpiCommunicator::pieces(std::int64_t elements, Visit visit) const {
  std::int64_t first = 0;
  do {
    const auto count = std::min(options_.largest_piece, elements - first);
    visit(first, static_cast<int>(count));
    first += count;
  } while (first < elements);
}

void MpiCommunicator::begin_all_reduce(const Call& call, MpiOperation& operation) {
  const auto type = mpi_type(call.input.dtype());
  const auto op = reductions_->op(call.reduction, call.input.dtype());
  pieces(call.input.numel(), [&](std::int64_t first, int count) {
    const void* from = in_place(call) ? MPI_IN_PLACE : at(call.input, first);
    STRATA_MPI(MPI_Iallreduce(from, at(call.output, first), count, type, op, comm_, operation.add_request()));
  });
}

void MpiCommunicator::begin_reduce(const Call& call, MpiOperation& operation) {
  const auto type = mpi_type(call.input.dtype());
  const auto op = reductions_->op(call.reduction, call.input.dtype());
  pieces(call.input.numel(), [&](std::int64_t first, int count) {
    const void* from = rank_ == call.peer ? MPI_IN_PLACE : at(call.input, first);
    STRATA_MPI(MPI_Ireduce(from, rank_ == call.peer ? at(call.output, first) : nullptr, count, type, op, call.peer,
                           comm_, operation.add_request()));
  });
}

void MpiCommunicator::begin_broadcast(const Call& call, MpiOperation& operation) {
  pieces(call.input.numel(), [&](std::int64_t first, int count) {
    STRATA_MPI(MPI_Ibcast(at(call.input, first), count, mpi_type(call.input.dtype()), call.peer, comm_,
                          operation.add_request()));
  });
}

void MpiCommunicator::begin_all_gather(const Call& call, MpiOperation& operation) {
  if (call.output.numel() > options_.largest_piece) return begin_pairwise_gather(call, operation);
  const auto offsets = row_offsets(call.counts);
  fill_counts(call, offsets, operation);
  const auto type = mpi_type(call.input.dtype());
  const auto* own = at(call.output, operation.displacements[static_cast<std::size_t>(rank_)]);
  const void* from = call.input.raw() == own ? MPI_IN_PLACE : call.input.raw();
  STRATA_MPI(MPI_Iallgatherv(from, static_cast<int>(call.input.numel()), type, call.output.raw(),
                             operation.counts.data(), operation.displacements.data(), type, comm_,
                             operation.add_request()));
}

void MpiCommunicator::begin_pairwise_gather(const Call& call, MpiOperation& operation) {
  const auto offsets = row_offsets(call.counts);
  for (int r = 0; r < size_; ++r) {
    const auto part =
        call.output.slice(0, offsets[static_cast<std::size_t>(r)], offsets[static_cast<std::size_t>(r) + 1]);
    if (r == rank_) {
      copy_on_host(part, call.input);
    } else {
      recv_pieces(part, r, kGatherTag, operation);
      send_pieces(call.input, r, kGatherTag, operation);
    }
  }
}

void MpiCommunicator::begin_reduce_scatter(const Call& call, MpiOperation& operation) {
  if (call.input.numel() > options_.largest_piece) return begin_piecewise_scatter(call, operation);
  const auto offsets = row_offsets(call.counts);
  fill_counts(call, offsets, operation);
  Tensor to = call.output;
  if (to.raw() == at(call.input, operation.displacements[static_cast<std::size_t>(rank_)])) {
    // MPI's own in-place form puts the result at the start of the input, not at this rank's rows.
    to = operation.scratch = host_tensor(to.dtype(), to.shape());
    operation.on_finish([to, output = call.output] { copy_on_host(output, to); });
  }
  STRATA_MPI(MPI_Ireduce_scatter(call.input.raw(), to.raw(), operation.counts.data(), mpi_type(to.dtype()),
                                 reductions_->op(call.reduction, to.dtype()), comm_, operation.add_request()));
}

void MpiCommunicator::begin_piecewise_scatter(const Call& call, MpiOperation& operation) {
  const auto offsets = row_offsets(call.counts);
  const auto type = mpi_type(call.input.dtype());
  const auto op = reductions_->op(call.reduction, call.input.dtype());
  for (int r = 0; r < size_; ++r) {
    const auto part =
        call.input.slice(0, offsets[static_cast<std::size_t>(r)], offsets[static_cast<std::size_t>(r) + 1]);
    pieces(part.numel(), [&](std::int64_t first, int count) {
      const bool mine = r == rank_;
      const void* from = mine && part.raw() == call.output.raw() ? MPI_IN_PLACE : at(part, first);
      STRATA_MPI(MPI_Ireduce(from, mine ? at(call.output, first) : nullptr, count, type, op, r, comm_,
                             operation.add_request()));
    });
  }
}

void MpiCommunicator::begin_all_to_all(const Call& call, MpiOperation& operation) {
  const auto sent = row_offsets(call.counts), received = row_offsets(call.recv_counts);
  for (std::size_t r = 0; r < static_cast<std::size_t>(size_); ++r) {
    const auto give = call.input.slice(0, sent[r], sent[r + 1]),
               get = call.output.slice(0, received[r], received[r + 1]);
    if (static_cast<int>(r) == rank_) {
      STRATA_CHECK(
          give.numel() == get.numel(), usage, "all_to_all",
          fmt::format("rank {} sends itself {} rows, but expects {}", rank_, call.counts[r], call.recv_counts[r]));
      copy_on_host(get, give);
    } else {
      recv_pieces(get, static_cast<int>(r), kExchangeTag, operation);
      send_pieces(give, static_cast<int>(r), kExchangeTag, operation);
    }
  }
}

void MpiCommunicator::send_pieces(const Tensor& tensor, int to, int tag, MpiOperation& operation) const {
  pieces(tensor.numel(), [&](std::int64_t first, int count) {
    STRATA_MPI(MPI_Isend(at(tensor, first), count, mpi_type(tensor.dtype()), to, tag, comm_, operation.add_request()));
  });
}

void MpiCommunicator::recv_pieces(const Tensor& tensor, int from, int tag, MpiOperation& operation) const {
  pieces(tensor.numel(), [&](std::int64_t first, int count) {
    const auto type = mpi_type(tensor.dtype());
    STRATA_MPI(MPI_Irecv(at(tensor, first), count, type, from, tag, comm_, operation.add_request()));
    operation.expect_received(count, type);
  });
}

}  // namespace strata::comm
