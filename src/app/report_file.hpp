// SPDX-License-Identifier: Apache-2.0
//
// Reports by themselves, without the studies they belong to, one by one: of a text file each line, of a table (CSV,
// JSON Lines) what stands in the named columns.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::app {

// Several columns of a row make one text, in their order; rows without any are left out. The ending tells the form:
// .txt (each line that is not blank), .csv, .tsv, .jsonl, .ndjson; another: usage error. A column that is missing: data
// error.
void read_reports(const std::string& path, const std::vector<std::string>& columns,
                  const std::function<void(std::string_view report)>& visit);

}  // namespace strata::app
