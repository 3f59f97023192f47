// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {

Outcome strata(const std::string& arguments, const std::string& redirect, const std::string& environment) {
  const fixtures::ScratchFolder folder;
  const std::string out = redirect.empty() ? folder.file("out") : redirect;
  const std::string line =
      environment + " '" STRATA_PROGRAM "' " + arguments + " >'" + out + "' 2>'" + folder.file("err") + "' </dev/null";
  const int status = std::system(line.c_str());
  Outcome outcome;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (redirect.empty()) outcome.out = fixtures::read_all(out);
  outcome.err = fixtures::read_all(folder.file("err"));
  return outcome;
}

std::string block(const Outcome& outcome) {
  const auto begin = outcome.err.find("\n  where:");
  if (begin == std::string::npos) return outcome.err;
  const auto end = outcome.err.find('\n', begin + 1);
  return outcome.err.substr(0, begin) + (end == std::string::npos ? std::string() : outcome.err.substr(end));
}

void expect_failure(const std::string& arguments, int code, const std::string& expected) {
  SCOPED_TRACE("strata " + arguments);
  const Outcome outcome = strata(arguments);
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(block(outcome), expected);
}

}  // namespace strata::cli
