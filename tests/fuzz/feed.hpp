// SPDX-License-Identifier: Apache-2.0
//
// How the ordinary suite feeds a fuzz target: deterministic mutations in rounds, and the files of tests/fuzz/corpus. A
// broken promise is a failure that shows the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tests/fuzz/mutate.hpp"
#include "tests/fuzz/seeds.hpp"

namespace strata::fuzz {

using Target = bool (*)(std::span<const std::byte>);

constexpr std::uint64_t kRounds = 20000;

// Round i feeds what `make` draws with the dice of (seed, i). Expects that a hundredth is accepted and a fifth
// refused at least: mutations that are all refused, or all accepted, test nothing.
void feed_mutations(Target target, std::uint64_t seed, const std::function<std::string(Dice&)>& make,
                    std::uint64_t rounds = kRounds);

// Each must be accepted: a seed that is refused teaches nothing about what lies behind the first check.
void feed_seeds(Target target, std::span<const Seed> seeds);

// The files of corpus/FOLDER, of which one at least is accepted and `least` refused.
void feed_corpus(const std::string& folder, Target target, std::uint64_t least);

// Files that once broke a promise, corpus/FOLDER; there may be none.
void feed_found(const std::string& folder, Target target);

}  // namespace strata::fuzz
