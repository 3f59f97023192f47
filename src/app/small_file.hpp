// SPDX-License-Identifier: Apache-2.0
//
// A text file that is small by its nature (a vocabulary, a JSON description), as one string. More than 64 MiB: data
// error. `subject` is the word in the error's brackets.
#pragma once

#include <string>

namespace strata::app {

std::string read_small_file(const std::string& subject, const std::string& path);

}  // namespace strata::app
