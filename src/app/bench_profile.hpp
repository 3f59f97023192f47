// SPDX-License-Identifier: Apache-2.0
//
// Where the time of a step goes, op by op: a wrapper around every kernel of a table that times each call and adds it to
// a row. Costs a clock reading and a look-up a call; kernels and ops know nothing of it. Bytes are those of inputs and
// outputs, each read or written once, so a rate above what memory gives means that caches served it. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "strata/runtime/kernel_table.hpp"

namespace strata::app {

enum class ProfileRows : std::uint8_t { by_op, by_shape };

class Profile {
 public:
  struct Row {
    std::string op, kernel, shapes;  // shapes: empty when rows are by op
    std::int64_t calls = 0;
    double seconds = 0, bytes = 0;
    double flops = 0;  // products and attention, by formula; 0 for the rest
  };

  explicit Profile(ProfileRows rows) : rows_by_(rows) {}

  // For WiredBackend::wrapped; the profile must outlive what it returns.
  KernelTable::Run wrap(const KernelTable::Entry& entry);
  std::vector<Row> rows() const;  // longest first

 private:
  ProfileRows rows_by_;
  std::map<std::string, Row> rows_;
};

}  // namespace strata::app
