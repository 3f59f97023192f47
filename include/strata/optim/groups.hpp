// SPDX-License-Identifier: Apache-2.0
//
// Which settings a parameter is trained with, by rules over what it is. Rules stand in an ordered list; every rule that
// matches a parameter applies, a later one overriding what an earlier one set, and a rule changes only what it names:
//
//   auto rules = no_decay_rules();
//   rules.push_back({.name = "classifier.*", .lr_scale = 100});
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strata/nn/parameter.hpp"

namespace strata::optim {

struct GroupSettings {
  double lr_scale = 1;     // of the step's learning rate
  double decay_scale = 1;  // of the step's weight decay; 0: none
  bool frozen = false;  // neither stepped nor decayed, no state; to freeze and still decay, zero its gradient instead
  bool operator==(const GroupSettings&) const = default;
};

struct GroupRule {
  // All of these must hold. A name pattern knows * (any characters, dots too) and ? (one character).
  std::string name = "*";
  int least_ndim = 0;  // of the global shape
  int most_ndim = kMaxDims;
  std::string axis = {};  // a logical axis the parameter must have ("position", "prefix"); empty: any
  // What is set.
  std::optional<double> lr_scale = {}, decay_scale = {};
  std::optional<bool> frozen = {};
  bool may_miss = false;  // true: no error when no parameter matches
};

// The published rule (HLIP, OpenCLIP): no decay on parameters of fewer than two dimensions, biases, norms and
// logit_scale. A class token [1, 1, C] is decayed.
std::vector<GroupRule> no_decay_rules();

bool matches(const GroupRule& rule, const nn::Parameter& parameter);
bool glob_matches(std::string_view pattern, std::string_view name);

// Settings of each parameter. Negative or non-finite scales, and a rule that matches nothing though it must: usage
// errors.
std::vector<GroupSettings> assign_settings(const std::vector<GroupRule>& rules,
                                           const std::vector<nn::ParameterPtr>& parameters);

}  // namespace strata::optim
