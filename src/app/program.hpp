// SPDX-License-Identifier: Apache-2.0
//
// The command-line program: picks the command, turns every error into one block on standard error and an exit code
// (ErrorKind's value; 0 when done).
#pragma once

#include "strata/base/error.hpp"

namespace strata::app {

// Prints the error's block on standard error and returns the program's exit code.
int report(const Error& error);

int run(int argc, const char* const* argv);

}  // namespace strata::app
