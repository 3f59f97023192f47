// SPDX-License-Identifier: Apache-2.0
//
// The backends of this build, for tests and timings: each with its kernel table. The reference backend comes first and
// is the others' fallback.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "strata/runtime/context.hpp"

namespace strata::conformance {

struct TestBackend {
  std::string name;  // unique: "cpu", "cpu avx2"
  std::shared_ptr<Backend> backend;
  KernelTable table;
  Context context() const { return Context(backend, table); }
};

// A deque, so that tables keep their place while others are added.
std::deque<TestBackend> make_backends();

// Calls add_<backend>_backends of every backend that was built besides the reference (backends/<backend>.cpp). Each
// sets its tables' fallback to the first one's.
void add_built_backends(std::deque<TestBackend>& backends);

}  // namespace strata::conformance
