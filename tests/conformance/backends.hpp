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

// A deque, so that tables keep their place while others are added. `only`: besides the reference, that one; environment
// error where it is not to be had, so that a check of a device never passes without one. Without it, what the variable
// STRATA_TEST_BACKEND names, or all.
std::deque<TestBackend> make_backends();
std::deque<TestBackend> make_backends(const std::string& only);
std::string backend_from_environment();

// Calls add_<backend>_backends of every backend that was built besides the reference (backends/<backend>.cpp). Each
// sets its tables' fallback to the first one's.
void add_built_backends(std::deque<TestBackend>& backends);

}  // namespace strata::conformance
