// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/checking.hpp"

#include <fmt/format.h>

#include "parallel/comm/strings.hpp"
#include "parallel/comm/wrapper.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

class CheckingCommunicator final : public Wrapper {
 public:
  using Wrapper::Wrapper;

 protected:
  std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> child) override {
    return make_checking(std::move(child));
  }

  Event start(const Call& call) override {
    if (is_collective(call.kind)) compare(call);
    return Wrapper::start(call);
  }
  std::vector<Event> start_batch(std::span<const Call> calls) override {
    for (const auto& call : calls) {
      if (is_collective(call.kind)) compare(call);
    }
    return Wrapper::start_batch(calls);
  }

 private:
  void compare(const Call& call) {
    auto wrong = differing_texts(gather_texts(inner(), agreement(call)));
    if (wrong.empty() && call.kind == CallKind::all_to_all) wrong = compare_counts(call);
    STRATA_CHECK(wrong.empty(), communication, "checking",
                 fmt::format("call {} of group '{}': the ranks do not call the same: {}", call.number, name(), wrong));
  }

  // Only the counts of the calls are real here: the tensors lie on other ranks.
  std::string compare_counts(const Call& call) {
    const auto n = static_cast<std::size_t>(size());
    Counts mine = call.counts, all(2 * n * n);
    mine.insert(mine.end(), call.recv_counts.begin(), call.recv_counts.end());
    const auto width = static_cast<std::int64_t>(2 * n);
    inner()
        .all_gather(Tensor::borrow(mine.data(), DType::i64, {1, width}),
                    Tensor::borrow(all.data(), DType::i64, {size(), width}))
        .wait();
    for (std::size_t from = 0; from < n; ++from) {
      for (std::size_t to = 0; to < n; ++to) {
        const auto sent = all[from * 2 * n + to], expected = all[to * 2 * n + n + from];
        if (sent != expected)
          return fmt::format("in all_to_all rank {} sends {} rows to rank {}, which expects {}", from, sent, to,
                             expected);
      }
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Communicator> make_checking(std::shared_ptr<Communicator> inner) {
  return std::make_unique<CheckingCommunicator>(std::move(inner));
}

}  // namespace strata::comm
