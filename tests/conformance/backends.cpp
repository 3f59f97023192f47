// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/backends.hpp"

#include <algorithm>
#include <cstdlib>

#include "backends/reference/reference.hpp"
#include "strata/base/error.hpp"

namespace strata::conformance {

std::deque<TestBackend> make_backends(const std::string& only) {
  std::deque<TestBackend> backends;
  backends.push_back({"reference", make_reference_backend(), make_reference_table()});
  add_built_backends(backends);
  if (only == "reference") backends.erase(backends.begin() + 1, backends.end());
  if (only.empty() || only == "reference") return backends;
  const auto wanted = std::ranges::find(backends, only, &TestBackend::name);
  STRATA_CHECK(wanted != backends.end(), environment, "test backends", "'" + only + "' is not to be had here",
               "it was not built, or its device is missing: strata info says which");
  std::deque<TestBackend> two;  // tables move: they are told anew where their fallback lies
  two.push_back(std::move(backends.front()));
  const bool falls_back = wanted->table.fallback() != nullptr;
  two.push_back(std::move(*wanted));
  if (falls_back) two.back().table.set_fallback(&two.front().table);
  return two;
}

std::string backend_from_environment() {
  const char* name = std::getenv("STRATA_TEST_BACKEND");
  return name == nullptr ? std::string() : name;
}

std::deque<TestBackend> make_backends() { return make_backends(backend_from_environment()); }

}  // namespace strata::conformance
