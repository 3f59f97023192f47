// SPDX-License-Identifier: Apache-2.0
// What the two GoogleTest programs over the cases share: names GoogleTest accepts, and a main that knows --seed.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {

inline void PrintTo(const OpCase& the_case, std::ostream* out) { *out << the_case.name(); }

inline std::string gtest_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  return name;
}

// --seed N is STRATA_SEED=N.
inline int run_tests(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string_view(argv[i]) == "--seed") setenv("STRATA_SEED", argv[i + 1], 1);
  return RUN_ALL_TESTS();
}

}  // namespace strata::conformance
