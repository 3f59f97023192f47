// SPDX-License-Identifier: Apache-2.0
//
// Where the time of a step goes, op by op: a wrapper around every kernel of a table that times each call and adds it to
// a row; kernels and ops know nothing of it. The host waits for the device before and after each call, so a profiled
// step runs one op at a time, and its own length says nothing: shares are given of steps that were not profiled. On a
// host a call is run and timed once. On a device one call would mostly be its launch and the wait, so it is run again
// and again, queued behind itself (seconds_alone): the time is the device's, or the launch's where that is longer. Ops
// that add to what is there then do so many times: numbers of a profiled step mean nothing either. Bytes are those of
// inputs and outputs, each read or written once, so a rate above what memory gives means that caches served it. One
// thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::app {

enum class ProfileRows : std::uint8_t { by_op, by_shape };

class Profile {
 public:
  struct Row {
    std::string op, kernel, shapes;  // shapes: empty when rows are by op
    std::int64_t calls = 0;
    double seconds = 0, bytes = 0;
    double flops = 0;  // products and attention, by formula; 0 for the rest

    // What the composed ceiling takes (app/bench_composition.hpp), where it was asked for; of products and attention:
    double alone = 0;       // seconds of as many calls of the plain product, or of the attention, by themselves
    double gelu_bytes = 0;  // GELU fused with a product, if it were an op of its own
  };

  // `plain`: the same device with the kernels unwrapped. `alone`: also measure products and attention by themselves,
  // each distinct one once, when it is first met.
  Profile(Context plain, ProfileRows rows, bool alone = false);

  // For WiredBackend::wrapped; the profile must outlive what it returns.
  KernelTable::Run wrap(const KernelTable::Entry& entry);
  std::vector<Row> rows() const;                 // longest first
  double overhead() const { return overhead_; }  // seconds of profiled steps that measuring took, on a host

 private:
  struct Call {
    const KernelTable::Entry& entry;
    const void* op;
    Inputs in;
    Outputs out;
  };
  double alone_seconds(const Call& call);
  void add(const Call& call, double seconds, double alone);

  Context plain_;
  ProfileRows rows_by_;
  bool alone_;
  double overhead_ = 0;
  std::map<std::string, Row> rows_;
  std::map<std::string, double> known_;  // seconds of one call alone
};

}  // namespace strata::app
