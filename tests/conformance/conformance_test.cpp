// SPDX-License-Identifier: Apache-2.0
//
// Every case on every backend that serves it, in every element type. --seed N or STRATA_SEED draws other inputs; the
// seed stands in each failure.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>
#include <string_view>

#include "tests/conformance/checks.hpp"
#include "tests/conformance/coverage.hpp"
#include "tests/conformance/drawn.hpp"
#include "tests/conformance/gtest_names.hpp"

namespace strata::conformance {
namespace {

struct Param {
  OpCase the_case;
  std::string backend;
  DType dtype;
};

void PrintTo(const Param& param, std::ostream* out) {
  *out << param.the_case.name() << ", " << name_of(param.dtype) << ", " << param.backend;
}

// The reference must serve all types that a case names; other backends run what their own table serves.
std::vector<Param> params(bool gradients) {
  std::vector<Param> list;
  const auto backends = make_backends();
  for (const auto& c : all_cases())
    for (const auto& backend : backends)
      for (const auto dtype : c.dtypes)
        if (!c.only_timed() && (!gradients || c.has_gradient()) &&
            (&backend == &backends.front() || has_own_kernel(c, dtype, backend.table)))
          list.push_back({c, backend.name, dtype});
  return list;
}

std::string param_name(const testing::TestParamInfo<Param>& info) {
  return gtest_name(info.param.the_case.name()) + "_" + std::string(name_of(info.param.dtype)) + "_" +
         gtest_name(info.param.backend);
}

class Conformance : public testing::TestWithParam<Param> {
 protected:
  template <class Check>
  void expect(Check check) {
    const auto backends = make_backends();
    Context reference = backends.front().context();
    const std::uint64_t seed = seed_from_environment();
    for (const auto& backend : backends) {
      if (backend.name != GetParam().backend) continue;
      Context tested = backend.context();
      const Outcome outcome = check(GetParam().the_case, GetParam().dtype, tested, reference, seed);
      EXPECT_TRUE(outcome.passed) << GetParam().the_case.name() << " in " << name_of(GetParam().dtype) << " on "
                                  << backend.name << ", seed " << seed << "\n"
                                  << outcome.text;
    }
  }
};
class ConformanceOfGradients : public Conformance {};

TEST_P(Conformance, Outputs) { expect(compare_outputs); }
TEST_P(ConformanceOfGradients, Gradients) { expect(compare_gradients); }

INSTANTIATE_TEST_SUITE_P(Op, Conformance, testing::ValuesIn(params(false)), param_name);
INSTANTIATE_TEST_SUITE_P(Op, ConformanceOfGradients, testing::ValuesIn(params(true)), param_name);

TEST(Coverage, EveryReferenceOpHasACase) {
  const auto backends = make_backends();
  const auto rows = count_coverage(all_cases(), backends);
  std::cout << print(rows, backends);
  for (const auto& row : rows) {
    EXPECT_GT(row.cases, 0) << row.op << " has a kernel but no case: add tests/conformance/<op file>_cases.cpp";
    EXPECT_TRUE(row.in_reference) << row.op << " has no reference kernel to compare with";
  }
}

TEST(Coverage, CaseNamesAreUnique) {
  std::set<std::string> names;
  for (const auto& c : all_cases()) EXPECT_TRUE(names.insert(c.name()).second) << c.name();
}

}  // namespace
}  // namespace strata::conformance

int main(int argc, char** argv) { return strata::conformance::run_tests(argc, argv); }
