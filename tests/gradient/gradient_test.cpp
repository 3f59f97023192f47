// SPDX-License-Identifier: Apache-2.0
//
// Every gradient rule against finite differences, in double precision on every backend that has an own kernel for the
// op in it. --seed N or STRATA_SEED draws other inputs.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/conformance/backends.hpp"
#include "tests/conformance/checks.hpp"
#include "tests/conformance/drawn.hpp"
#include "tests/conformance/gtest_names.hpp"

namespace strata::conformance {
namespace {

struct Param {
  OpCase the_case;
  std::string backend;
};

void PrintTo(const Param& param, std::ostream* out) { *out << param.the_case.name() << ", " << param.backend; }

std::vector<Param> params() {
  std::vector<Param> list;
  const auto backends = make_backends();
  for (const auto& c : all_cases())
    for (const auto& backend : backends)
      if (c.has_gradient() && !c.only_timed() &&
          (&backend == &backends.front() || has_own_kernel(c, DType::f64, backend.table)))
        list.push_back({c, backend.name});
  return list;
}

class Gradient : public testing::TestWithParam<Param> {};

TEST_P(Gradient, AgreesWithFiniteDifferences) {
  const auto& [the_case, name] = GetParam();
  const auto backends = make_backends();
  Context reference = backends.front().context();
  const std::uint64_t seed = seed_from_environment();
  for (const auto& backend : backends) {
    if (backend.name != name) continue;
    Context tested = backend.context();
    const Outcome outcome = check_gradient(the_case, tested, reference, seed);
    EXPECT_TRUE(outcome.passed) << the_case.name() << " on " << name << ", seed " << seed << "\n" << outcome.text;
  }
}

std::string name_of_param(const testing::TestParamInfo<Param>& info) {
  return gtest_name(info.param.the_case.name()) + "_" + gtest_name(info.param.backend);
}

INSTANTIATE_TEST_SUITE_P(Op, Gradient, testing::ValuesIn(params()), name_of_param);

}  // namespace
}  // namespace strata::conformance

int main(int argc, char** argv) { return strata::conformance::run_tests(argc, argv); }
