// SPDX-License-Identifier: Apache-2.0
//
// Valid files that mutations and libFuzzer start from, made by code. No patient's data.
#pragma once

#include <string>
#include <vector>

namespace strata::fuzz {

struct Seed {
  std::string name, bytes;
};

std::vector<Seed> nifti_seeds();
std::vector<Seed> csv_seeds();
std::vector<Seed> json_lines_seeds();
std::vector<Seed> shard_seeds();
std::vector<Seed> shard_header_seeds();
std::vector<Seed> checkpoint_seeds();
std::vector<Seed> checkpoint_header_seeds();
std::vector<Seed> checkpoint_table_seeds();

}  // namespace strata::fuzz
