// SPDX-License-Identifier: Apache-2.0
//
// A group of processes on a communicator of its own. See mpi.hpp for what it promises.
#pragma once

#include <mpi.h>

#include <list>
#include <mutex>

#include "parallel/comm/mpi.hpp"
#include "parallel/comm/mpi_operation.hpp"
#include "parallel/comm/mpi_types.hpp"

namespace strata::comm {

class MpiCommunicator final : public Communicator {
 public:
  // Takes `comm` over and frees it.
  MpiCommunicator(MPI_Comm comm, std::string name, const MpiOptions& options,
                  std::shared_ptr<MpiReductions> reductions);
  ~MpiCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& name() const override { return name_; }
  std::string_view transport() const override { return "mpi"; }
  bool serves(const Device& device) const override { return device == Device{}; }
  std::unique_ptr<Communicator> split(int color, int key, std::string_view label) override;
  void abort(std::string_view reason) override;
  const void* native_handle(std::string_view kind) const override { return kind == "MPI_Comm" ? &comm_ : nullptr; }

 protected:
  Event start(const Call& call) override;

 private:
  using Visit = const std::function<void(std::int64_t first, int count)>&;

  void begin(const Call& call, MpiOperation& operation);
  void begin_all_reduce(const Call& call, MpiOperation& operation);
  void begin_reduce(const Call& call, MpiOperation& operation);
  void begin_broadcast(const Call& call, MpiOperation& operation);
  void begin_all_gather(const Call& call, MpiOperation& operation);
  void begin_reduce_scatter(const Call& call, MpiOperation& operation);
  void begin_all_to_all(const Call& call, MpiOperation& operation);
  void begin_pairwise_gather(const Call& call, MpiOperation& operation);
  void begin_piecewise_scatter(const Call& call, MpiOperation& operation);

  // Elements [0, elements) in pieces that MPI's int counts can hold.
  void pieces(std::int64_t elements, Visit visit) const;
  void send_pieces(const Tensor& tensor, int to, int tag, MpiOperation& operation) const;
  void recv_pieces(const Tensor& tensor, int from, int tag, MpiOperation& operation) const;
  void keep(std::shared_ptr<MpiOperation> operation);
  void drain() noexcept;

  MPI_Comm comm_;
  std::string name_;
  MpiOptions options_;
  std::shared_ptr<MpiReductions> reductions_;
  int rank_ = 0;
  int size_ = 1;
  std::list<std::shared_ptr<MpiOperation>> in_flight_;  // also those whose event was dropped
};

}  // namespace strata::comm
