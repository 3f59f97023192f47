// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/regroup.hpp"

#include "strata/nn/tokens.hpp"

namespace strata::nn {

Tokens Regroup::forward(Tape& tape, const Tokens& tokens, Level to) {
  if (to == tokens.level) return tokens;
  const StudyLayout& layout = *tokens.layout;
  const bool up = tokens.level < to;
  const Level fine = up ? tokens.level : to, coarse = up ? to : tokens.level;
  const Variable offsets[] = {tape.constant(layout.at(fine).segments.device_offsets()),
                              tape.constant(layout.at(coarse).segments.device_offsets()),
                              tape.constant(layout.parts(fine, coarse))};
  const std::int64_t rows = layout.at(to).segments.total();
  Variable moved = bordered(tape, tokens.rows, [&](const Variable& x) {
    if (up)
      return tape.apply1(ops::MergeTokens{layout.prefix(), rows, ops::PrefixMerge::mean},
                         {x, offsets[0], offsets[1], offsets[2]});
    return tape.apply1(ops::SplitTokens{layout.prefix(), rows, ops::PrefixSplit::copy},
                       {x, offsets[0], offsets[1], offsets[2]});
  });
  return {moved, tokens.layout, to};
}

}  // namespace strata::nn
