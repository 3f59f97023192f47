// SPDX-License-Identifier: Apache-2.0
#include "strata/config/changes.hpp"

#include <gtest/gtest.h>

namespace strata::config {
namespace {

std::vector<std::string> changed(const char* before, const char* after) {
  return changes(Node::parse(before, "before"), Node::parse(after, "after"));
}

TEST(Changes, NameThePathAndBothValues) {
  EXPECT_EQ(changed("{optim: {lr: 1, wd: 2}, name: a}", "{name: a, optim: {wd: 2, lr: 3}}"),
            (std::vector<std::string>{"optim.lr: 1 -> 3"}));
  EXPECT_EQ(changed("{a: 1}", "{b: [1, 2]}"), (std::vector<std::string>{"a: 1 -> nothing", "b: nothing -> [1, 2]"}));
  EXPECT_EQ(changed("{a: [1, 2]}", "{a: [1, 3]}"), (std::vector<std::string>{"a: [1, 2] -> [1, 3]"}));
  EXPECT_TRUE(changed("{a: {b: x}}", "{a: {b: x}}").empty());
}

}  // namespace
}  // namespace strata::config
