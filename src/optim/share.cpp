// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "strata/optim/optimizer.hpp"

namespace strata::optim {

std::int64_t Share::numel() const { return (end < 0 ? parameter->spec().shape.numel() : end) - begin; }

std::vector<Share> whole_shares(const std::vector<nn::ParameterPtr>& parameters) {
  std::vector<Share> shares;
  for (const auto& parameter : parameters)
    if (parameter->role() == nn::Role::parameter) shares.push_back({parameter, 0, parameter->spec().shape.numel()});
  return shares;
}

std::vector<Share> shares_of_range(const std::vector<nn::ParameterPtr>& parameters, std::int64_t begin,
                                   std::int64_t end) {
  std::vector<Share> shares;
  std::int64_t at = 0;  // where the parameter begins in the line
  for (auto& share : whole_shares(parameters)) {
    const std::int64_t first = std::max(begin - at, std::int64_t{0}), last = std::min(end - at, share.end);
    at += share.end;
    if (first < last) shares.push_back({share.parameter, first, last});
  }
  return shares;
}

}  // namespace strata::optim
