// SPDX-License-Identifier: Apache-2.0
//
// Starts the program as a shell would and collects what it said.
#pragma once

#include <string>

namespace strata::cli {

struct Outcome {
  int code = -1;  // exit code, or 128 + the signal that ended it
  std::string out, err;
};

// `arguments` as one would type them; `redirect` replaces where standard output goes, `environment` stands before the
// program ("NAME=value").
Outcome strata(const std::string& arguments, const std::string& redirect = {}, const std::string& environment = {});

// The error block without its second line, which names a line of source.
std::string block(const Outcome& outcome);

void expect_failure(const std::string& arguments, int code, const std::string& expected);

}  // namespace strata::cli
