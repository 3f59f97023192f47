// SPDX-License-Identifier: Apache-2.0
//
// The two formats behind read_rows(). `first` is the first line that is not blank, already taken from `lines`.
#pragma once

#include <string>
#include <vector>

#include "io/table/lines.hpp"
#include "io/table/table.hpp"

namespace strata::io {

std::vector<std::string> read_csv(LineReader& lines, std::string first, const RowVisitor& visit,
                                  const TableLimits& limits);
std::vector<std::string> read_json_lines(LineReader& lines, std::string first, const RowVisitor& visit,
                                         const TableLimits& limits);

}  // namespace strata::io
