// SPDX-License-Identifier: Apache-2.0
//
// The random choices a loader makes for one study, as functions of (seed, ordinal) alone. The ordinal of a sample is
// its position in the order, epoch · n + index, so a study draws anew in each epoch and the same on any number of ranks
// and after any restart.
#pragma once

#include <cstdint>
#include <vector>

namespace strata::data {

// Which of a study's scans stay when it has more than `limit`: ascending, keyed by the ordinal (the same choice as
// models::select_scans). limit 0: all.
std::vector<std::int64_t> keep_scans(std::int64_t scans, std::int64_t limit, std::uint64_t seed, std::int64_t ordinal);

// A keyed order of a report's sentences: a permutation of 0 … count − 1.
std::vector<std::int64_t> sentence_order(std::int64_t count, std::uint64_t seed, std::int64_t ordinal);

// Which of a report's sentences stay when each is left out with probability `rate` in [0, 1): ascending, at least one
// of them (where there is any).
std::vector<std::int64_t> keep_sentences(std::int64_t count, double rate, std::uint64_t seed, std::int64_t ordinal);

}  // namespace strata::data
