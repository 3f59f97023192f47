// SPDX-License-Identifier: Apache-2.0
//
// Recall@k between two sets of n embeddings, row i of both of one study: how often a study's own report is among the k
// nearest to its image, and the other way round. Cosine similarities are formed pair by pair and counted, never kept:
// memory O(n), time O(n²·C) for both directions.
//
// Ties are counted fairly: of t equally similar candidates with g better ones, the right one is among the first k with
// probability min(1, max(0, (k − g) / t)), as if ties were ordered by lot. So constant embeddings score k/n, not 1 or
// 0. Studies that say they are identical (two reports with the same words) tie with each other, whatever rounding says.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::metrics {

// Of each query: candidates better than the right one, and as good (itself included).
struct Places {
  std::vector<std::int64_t> better, equal;
};

struct RetrievalPlaces {
  Places forward, backward;  // a → b and b → a
};

// Counts from rows [first, last) of `a` against all of `b`; `forward` is whole for these rows, `backward` is their
// share: places of several ranges add up. a, b [n, width]; zero rows have similarity 0 with everything. `same_a`,
// `same_b` [n], or empty: studies with one number are one and the same on that side.
RetrievalPlaces retrieval_places(std::span<const float> a, std::span<const float> b, std::int64_t width,
                                 std::int64_t first, std::int64_t last, std::span<const std::uint64_t> same_a = {},
                                 std::span<const std::uint64_t> same_b = {});

// The mean over queries of the probability that the right one is among the first k. NaN without queries.
double recall_at(const Places& places, std::int64_t k);

}  // namespace strata::metrics
