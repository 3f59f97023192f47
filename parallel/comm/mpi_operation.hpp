// SPDX-License-Identifier: Apache-2.0
//
// A call in flight: its MPI requests, what must stay alive until they are done, and the engine's own way of waiting for
// them.
#pragma once

#include <mpi.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "parallel/comm/poll.hpp"
#include "strata/comm/call.hpp"

namespace strata::comm {

class MpiOperation final : public EventState {
 public:
  MpiOperation(const Call& call, std::string group, int group_size, std::chrono::milliseconds deadline);

  // Asking may come from any thread: one request must not be tested by two at once.
  bool ready() override;
  void wait() override;
  bool finished() const;  // without asking MPI

  // Filled by whoever starts the operation, before anybody else sees it.
  MPI_Request* add_request() { return &requests_.emplace_back(MPI_REQUEST_NULL); }
  void on_finish(std::function<void()> action) { action_ = std::move(action); }
  void expect_received(std::int64_t elements, MPI_Datatype type);  // by the last request

  // MPI reads these until the operation is done.
  std::vector<int> counts, displacements;
  Tensor scratch;

 private:
  bool test();
  void check_statuses(int code, const std::vector<MPI_Status>& statuses);
  void check_received(const std::vector<MPI_Status>& statuses);

  struct Expected {
    std::size_t request;
    int elements;
    MPI_Datatype type;
  };

  Call call_;
  std::string group_;
  int group_size_;
  std::chrono::milliseconds deadline_;
  mutable std::mutex mutex_;
  std::vector<MPI_Request> requests_;
  std::vector<Expected> expected_;
  std::function<void()> action_;
  bool finished_ = false;
  std::string error_;
};

}  // namespace strata::comm
