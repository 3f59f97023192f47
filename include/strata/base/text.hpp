// SPDX-License-Identifier: Apache-2.0
//
// Names that come out of files, made fit for an error message: a file may call a tensor anything, terminal escapes and
// megabytes included.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strata {

// 'name', with control bytes as \xNN and what exceeds `limit` bytes cut ("'abc…' (5,000 bytes)" style).
std::string printable(std::string_view name, std::size_t limit = 120);

}  // namespace strata
