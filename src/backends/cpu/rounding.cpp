// SPDX-License-Identifier: Apache-2.0
//
// Stochastic rounding, plain: a Philox block for each four elements costs more than the memory.
#include "strata/ops/rounding.hpp"

#include <bit>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

constexpr std::int64_t kPiece = 16384;  // elements a thread takes at least

void round_stochastically(const ops::RoundStochastically& op, Inputs in, Outputs out, Context& ctx) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t* draw = in[0].data<std::int64_t>() + 3 * i;
    auto counter = ops::RoundStochastically::counter(draw);
    const auto first = static_cast<std::uint64_t>(draw[2]);
    const float* x = in[1 + i].data<float>();
    auto* y = static_cast<std::uint16_t*>(out[i].raw());
    parallel_for(ctx, in[1 + i].numel(), kPiece, [=, &op](std::int64_t begin, std::int64_t end) {
      auto own = counter;
      std::array<std::uint32_t, 4> words{};
      for (auto e = begin; e < end; ++e) {
        const std::uint64_t element = first + static_cast<std::uint64_t>(e);
        if (e == begin || element % 4 == 0) {
          own.block = static_cast<std::uint32_t>(element >> 2);
          words = random_words(op.key, own);
        }
        y[e] = ops::round_stochastically(std::bit_cast<std::uint32_t>(x[e]), words[element % 4]);
      }
    });
  }
}

}  // namespace

void add_rounding(KernelTable& table) {
  table.add<ops::RoundStochastically>("plain", round_stochastically, serves::anything);
}

}  // namespace strata::cpu
