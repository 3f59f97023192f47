// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/resample.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::Resample;
using ops::ResampleFilter;

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  const std::pair<ResampleFilter, const char*> filters[] = {{ResampleFilter::linear, "linear"},
                                                            {ResampleFilter::cubic, "cubic"},
                                                            {ResampleFilter::cubic_antialias, "cubic antialias"}};
  for (const auto& [filter, name] : filters) {
    const std::string label = name;
    list.push_back(OpCase(label + " up", Resample{0, 5, 8, filter, false}, {normal({5, 20})}));
    list.push_back(OpCase(label + " down", Resample{1, 9, 4, filter, false}, {normal({2, 9, 3})}));
    list.push_back(OpCase(label + " last axis", Resample{-1, 14, 9, filter, false}, {normal({3, 14})}));
    list.push_back(OpCase(label + " same", Resample{1, 6, 6, filter, false}, {normal({2, 6, 5})}));
    list.push_back(OpCase(label + " from one", Resample{0, 1, 3, filter, false}, {normal({1, 7})}));
    list.push_back(OpCase(label + " to one", Resample{0, 7, 1, filter, false}, {normal({7, 4})}));
    list.push_back(OpCase(label + " up, adjoint", Resample{0, 5, 8, filter, true}, {normal({8, 20})}));
    list.push_back(OpCase(label + " down, adjoint", Resample{1, 9, 4, filter, true}, {normal({2, 4, 3})}));
  }
  return list;
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
