// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/mpi_operation.hpp"

#include <fmt/format.h>

#include "parallel/comm/mpi_check.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {

MpiOperation::MpiOperation(const Call& call, std::string group, int group_size, std::chrono::milliseconds deadline)
    : call_(call), group_(std::move(group)), group_size_(group_size), deadline_(deadline) {}

void MpiOperation::expect_received(std::int64_t elements, MPI_Datatype type) {
  expected_.push_back({requests_.size() - 1, static_cast<int>(elements), type});
}

bool MpiOperation::finished() const {
  const std::lock_guard lock(mutex_);
  return finished_;
}

bool MpiOperation::ready() {
  const std::lock_guard lock(mutex_);
  return test();
}

void MpiOperation::wait() {
  if (poll_until([this] { return ready(); }, deadline_)) return;
  fail(ErrorKind::timeout, "mpi",
       fmt::format("{} (call {} of group '{}' of {} ranks, {} bytes) is not complete after {} ms", call_.str(),
                   call_.number, group_, group_size_, call_.bytes(), deadline_.count()),
       "a rank may be elsewhere, gone or unreachable; the job cannot go on: abort");
}

bool MpiOperation::test() {
  if (!error_.empty()) fail(ErrorKind::communication, "mpi", error_);
  if (finished_) return true;
  int flag = 0;
  std::vector<MPI_Status> statuses(requests_.size());
  const int code = MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &flag, statuses.data());
  if (code == MPI_SUCCESS && flag == 0) return false;
  finished_ = true;
  try {
    check_statuses(code, statuses);
    check_received(statuses);
    if (action_) action_();
  } catch (const Error& error) {
    error_ = error.message();
    throw;
  }
  call_.input = call_.output = scratch = {};
  action_ = {};
  return true;
}

void MpiOperation::check_statuses(int code, const std::vector<MPI_Status>& statuses) {
  if (code == MPI_ERR_IN_STATUS) {
    for (const auto& status : statuses) {
      if (status.MPI_ERROR != MPI_ERR_PENDING) STRATA_MPI(status.MPI_ERROR);
    }
  }
  STRATA_MPI(code);
}

void MpiOperation::check_received(const std::vector<MPI_Status>& statuses) {
  for (const auto& expected : expected_) {
    int count = 0;
    STRATA_MPI(MPI_Get_count(&statuses[expected.request], expected.type, &count));
    STRATA_CHECK(count == expected.elements, communication, "mpi",
                 fmt::format("{} (call {} of group '{}') got {} elements where it expected {}", call_.str(),
                             call_.number, group_, count, expected.elements));
  }
}

}  // namespace strata::comm
