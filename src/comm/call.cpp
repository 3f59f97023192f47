// SPDX-License-Identifier: Apache-2.0
#include "strata/comm/call.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "strata/base/error.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::comm {
namespace {

std::string row_shape(const Tensor& tensor) { return tensor.shape().without(0).str(); }
std::string list(std::span<const std::int64_t> values) { return fmt::format("({})", fmt::join(values, ", ")); }

[[noreturn]] void refuse(const Call& call, const std::string& message, std::string_view hint = {}) {
  fail(ErrorKind::usage, name_of(call.kind), message, hint);
}

void check_tensor(const Call& call, const Tensor& tensor, std::string_view what) {
  if (!tensor.defined()) refuse(call, fmt::format("the {} is undefined", what));
  if (!tensor.is_dense())
    refuse(call, fmt::format("the {} {} is a strided view", what, tensor.spec().str()),
           "make it dense first (ops::dense)");
}

void check_peer(const Call& call, std::string_view what, int rank, int size) {
  if (call.peer < 0 || call.peer >= size)
    refuse(call, fmt::format("{} {} does not exist in a group of {}", what, call.peer, size));
  if (!is_collective(call.kind) && call.peer == rank)
    refuse(call, fmt::format("rank {} exchanges with itself", rank), "copy instead");
  if (call.tag < 0 || call.tag > kMaxTag) refuse(call, fmt::format("tag {} is not in [0, {}]", call.tag, kMaxTag));
}

struct Span {
  const std::byte *begin, *end;
};
Span span_of(const Tensor& tensor) {
  const auto* begin = static_cast<const std::byte*>(tensor.raw());
  return {begin, begin + tensor.bytes()};
}
bool overlap(const Span& a, const Span& b) {
  return a.begin != a.end && b.begin != b.end && a.begin < b.end && b.begin < a.end;
}

// `part` is the place where the smaller of both may lie inside the larger one.
void check_apart(const Call& call, const Tensor& whole, const Tensor& part, std::int64_t first_row,
                 std::string_view allowed) {
  const Span a = span_of(whole), b = span_of(part);
  if (!overlap(a, b)) return;
  const auto* in_place = a.begin + static_cast<std::size_t>(first_row * row_elements(whole)) * size_of(whole.dtype());
  if (b.begin != in_place) refuse(call, fmt::format("input and output overlap, but not as {}", allowed));
}

void check_counts(const Call& call, std::span<const std::int64_t> counts, const Tensor& whole, std::string_view what,
                  int size) {
  if (counts.size() != static_cast<std::size_t>(size))
    refuse(call, fmt::format("{} counts {} for {} ranks", what, counts.size(), size));
  std::int64_t total = 0;
  for (const auto count : counts) {
    if (count < 0) refuse(call, fmt::format("negative {} count in {}", what, list(counts)));
    total += count;
  }
  if (total != whole.dim(0))
    refuse(call, fmt::format("{} counts {} add up to {} rows, but the tensor is {}", what, list(counts), total,
                             whole.spec().str()));
}

// all_gather and its mirror: `part` is one rank's rows of `whole`.
void check_rows(Call& call, const Tensor& whole, const Tensor& part, int rank, int size) {
  if (whole.ndim() < 1 || part.ndim() < 1) refuse(call, "scalars have no rows", "reshape to [1]");
  if (whole.dtype() != part.dtype() || row_shape(whole) != row_shape(part)) {
    refuse(call, fmt::format("{} and {} do not have the same rows", call.input.spec().str(), call.output.spec().str()));
  }
  if (call.counts.empty()) {
    if (whole.dim(0) != part.dim(0) * size) {
      refuse(call, fmt::format("{} rows do not make {} equal parts of {} rows", whole.dim(0), size, part.dim(0)),
             "pass counts for uneven parts");
    }
    call.counts.assign(static_cast<std::size_t>(size), part.dim(0));
  }
  check_counts(call, call.counts, whole, "row", size);
  const auto own = call.counts[static_cast<std::size_t>(rank)];
  if (own != part.dim(0))
    refuse(call, fmt::format("counts give rank {} {} rows, its tensor has {}", rank, own, part.dim(0)));
  check_apart(call, whole, part, row_offsets(call.counts)[static_cast<std::size_t>(rank)],
              "this rank's rows of the whole");
}

void check_all_to_all(const Call& call, int size) {
  if (call.input.ndim() < 1 || call.output.ndim() < 1) refuse(call, "scalars have no rows", "reshape to [1]");
  if (call.input.dtype() != call.output.dtype() || row_shape(call.input) != row_shape(call.output)) {
    refuse(call, fmt::format("{} and {} do not have the same rows", call.input.spec().str(), call.output.spec().str()));
  }
  check_counts(call, call.counts, call.input, "send", size);
  check_counts(call, call.recv_counts, call.output, "receive", size);
  if (overlap(span_of(call.input), span_of(call.output)))
    refuse(call, "input and output overlap", "use another buffer for the output");
}

void check_all_reduce(const Call& call) {
  if (call.input.spec() != call.output.spec()) {
    refuse(call, fmt::format("the input is {}, the output {}", call.input.spec().str(), call.output.spec().str()));
  }
  if (overlap(span_of(call.input), span_of(call.output)) && call.input.raw() != call.output.raw()) {
    refuse(call, "input and output overlap without being the same view");
  }
}

}  // namespace

std::string_view name_of(CallKind kind) {
  switch (kind) {
    case CallKind::all_reduce: return "all_reduce";
    case CallKind::reduce: return "reduce";
    case CallKind::reduce_scatter: return "reduce_scatter";
    case CallKind::all_gather: return "all_gather";
    case CallKind::broadcast: return "broadcast";
    case CallKind::all_to_all: return "all_to_all";
    case CallKind::send: return "send";
    case CallKind::recv: return "recv";
    case CallKind::barrier: return "barrier";
  }
  return "unknown";
}

std::string_view name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum: return "sum";
    case Reduction::max: return "max";
    case Reduction::min: return "min";
  }
  return "unknown";
}

std::int64_t Call::bytes() const {
  const auto in = input.defined() ? input.bytes() : 0, out = output.defined() ? output.bytes() : 0;
  return static_cast<std::int64_t>(std::max(in, out));
}

std::string Call::str() const {
  switch (kind) {
    case CallKind::all_reduce: return fmt::format("all_reduce {} {}", name_of(reduction), input.spec().str());
    case CallKind::reduce: return fmt::format("reduce {} {} to rank {}", name_of(reduction), input.spec().str(), peer);
    case CallKind::reduce_scatter:
      return fmt::format("reduce_scatter {} {} to {}", name_of(reduction), input.spec().str(), output.spec().str());
    case CallKind::all_gather: return fmt::format("all_gather {} to {}", input.spec().str(), output.spec().str());
    case CallKind::broadcast: return fmt::format("broadcast {} from rank {}", input.spec().str(), peer);
    case CallKind::all_to_all:
      return fmt::format("all_to_all {} {} to {} {}", input.spec().str(), list(counts), output.spec().str(),
                         list(recv_counts));
    case CallKind::send: return fmt::format("send {} to rank {} with tag {}", input.spec().str(), peer, tag);
    case CallKind::recv: return fmt::format("recv {} from rank {} with tag {}", output.spec().str(), peer, tag);
    case CallKind::barrier: return "barrier";
  }
  return "unknown";
}

std::vector<std::int64_t> row_offsets(std::span<const std::int64_t> counts) {
  std::vector<std::int64_t> offsets{0};
  for (const auto count : counts) offsets.push_back(offsets.back() + count);
  return offsets;
}

bool writes_output(const Call& call, int rank) {
  if (call.kind == CallKind::broadcast) return rank != call.peer;
  if (call.kind == CallKind::reduce) return rank == call.peer;
  return call.output.defined();
}

std::int64_t row_elements(const Tensor& tensor) { return tensor.shape().inner(0); }

void check_call(Call& call, int rank, int size) {
  if (call.kind == CallKind::barrier) return;
  if (call.kind != CallKind::recv) check_tensor(call, call.input, "input");
  if (call.kind != CallKind::send) check_tensor(call, call.output, "output");
  switch (call.kind) {
    case CallKind::all_reduce: return check_all_reduce(call);
    case CallKind::reduce:
    case CallKind::broadcast: return check_peer(call, "root", rank, size);
    case CallKind::reduce_scatter: return check_rows(call, call.input, call.output, rank, size);
    case CallKind::all_gather: return check_rows(call, call.output, call.input, rank, size);
    case CallKind::all_to_all: return check_all_to_all(call, size);
    case CallKind::send:
    case CallKind::recv: return check_peer(call, "rank", rank, size);
    case CallKind::barrier: return;
  }
}

std::string agreement(const Call& call) {
  const auto rows = [&](std::string_view head) {
    return fmt::format("{} {} rows of {}, counts {}", head, name_of(call.input.dtype()), row_shape(call.input),
                       list(call.counts));
  };
  switch (call.kind) {
    case CallKind::reduce_scatter: return rows(fmt::format("reduce_scatter {}", name_of(call.reduction)));
    case CallKind::all_gather: return rows("all_gather");
    case CallKind::all_to_all:
      return fmt::format("all_to_all {} rows of {}", name_of(call.input.dtype()), row_shape(call.input));
    default: return call.str();
  }
}

namespace {

std::string all_to_all_disagreement(std::span<const Call> calls) {
  for (std::size_t from = 0; from < calls.size(); ++from) {
    for (std::size_t to = 0; to < calls.size(); ++to) {
      const auto sent = calls[from].counts[to], expected = calls[to].recv_counts[from];
      if (sent != expected)
        return fmt::format("in all_to_all rank {} sends {} rows to rank {}, which expects {}", from, sent, to,
                           expected);
    }
  }
  return {};
}

}  // namespace

std::string disagreement(std::span<const Call> calls) {
  std::map<std::string, std::vector<int>> said;
  for (std::size_t rank = 0; rank < calls.size(); ++rank)
    said[agreement(calls[rank])].push_back(static_cast<int>(rank));
  if (said.size() == 1)
    return calls.front().kind == CallKind::all_to_all ? all_to_all_disagreement(calls) : std::string();
  std::string sentence = "the ranks do not call the same:";
  for (const auto& [what, ranks] : said) {
    sentence += fmt::format(" rank{} {} called {};", ranks.size() > 1 ? "s" : "", fmt::join(ranks, ", "), what);
  }
  sentence.pop_back();
  return sentence;
}

}  // namespace strata::comm
