// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/rounding.hpp"

#include <bit>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

void round_stochastically(const ops::RoundStochastically& op, Inputs in, Outputs out, Context&) {
  const auto draws = load_integers(in[0]);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto counter = ops::RoundStochastically::counter(&draws[3 * i]);
    const auto first = static_cast<std::uint64_t>(draws[3 * i + 2]);
    Values x = load(in[1 + i]);
    for (std::size_t e = 0; e < x.size(); ++e) {
      const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x[e]));
      const auto rounded = ops::round_stochastically(bits, random_word(op.key, counter, first + e));
      x[e] = std::bit_cast<float>(std::uint32_t{rounded} << 16);  // exact in bf16: stored as it is
    }
    store(out[i], x);
  }
}

}  // namespace

void register_rounding(KernelTable& table) {
  table.add<ops::RoundStochastically>("reference", round_stochastically,
                                      [](const ops::RoundStochastically&, Specs) { return true; });
}

}  // namespace strata::reference
