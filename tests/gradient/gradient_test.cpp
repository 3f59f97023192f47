// SPDX-License-Identifier: Apache-2.0
//
// Every gradient rule against finite differences, in double precision on the reference backend. --seed N or STRATA_SEED
// draws other inputs.
#include <gtest/gtest.h>

#include "tests/conformance/backends.hpp"
#include "tests/conformance/checks.hpp"
#include "tests/conformance/drawn.hpp"
#include "tests/conformance/gtest_names.hpp"

namespace strata::conformance {
namespace {

std::vector<OpCase> cases_with_gradient() {
  auto cases = all_cases();
  std::erase_if(cases, [](const OpCase& c) { return !c.has_gradient() || c.only_timed(); });
  return cases;
}

class Gradient : public testing::TestWithParam<OpCase> {};

TEST_P(Gradient, AgreesWithFiniteDifferences) {
  const auto backends = make_backends();
  Context reference = backends.front().context();
  const std::uint64_t seed = seed_from_environment();
  const Outcome outcome = check_gradient(GetParam(), reference, seed);
  EXPECT_TRUE(outcome.passed) << GetParam().name() << ", seed " << seed << "\n" << outcome.text;
}

std::string name_of_case(const testing::TestParamInfo<OpCase>& info) { return gtest_name(info.param.name()); }

INSTANTIATE_TEST_SUITE_P(Op, Gradient, testing::ValuesIn(cases_with_gradient()), name_of_case);

}  // namespace
}  // namespace strata::conformance

int main(int argc, char** argv) { return strata::conformance::run_tests(argc, argv); }
