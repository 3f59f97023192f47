// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"

namespace strata::optim {
namespace {

void check_scale(const GroupRule& rule, std::string_view what, std::optional<double> scale) {
  STRATA_CHECK(!scale || (std::isfinite(*scale) && *scale >= 0), usage, "optim",
               fmt::format("rule '{}' sets {} to {}", rule.name, what, *scale), "scales are 0 or more");
}

void apply(const GroupRule& rule, GroupSettings& settings) {
  settings.lr_scale = rule.lr_scale.value_or(settings.lr_scale);
  settings.decay_scale = rule.decay_scale.value_or(settings.decay_scale);
  settings.frozen = rule.frozen.value_or(settings.frozen);
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {  // let the last star take one character more
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool matches(const GroupRule& rule, const nn::Parameter& parameter) {
  const int ndim = parameter.global_shape().ndim();
  const auto has_axis = [&] {
    return std::ranges::any_of(parameter.axes(), [&](const LogicalAxis& axis) { return axis.name == rule.axis; });
  };
  return ndim >= rule.least_ndim && ndim <= rule.most_ndim && (rule.axis.empty() || has_axis()) &&
         glob_matches(rule.name, parameter.name());
}

std::vector<GroupRule> no_decay_rules() {
  return {{.most_ndim = 1, .decay_scale = 0, .may_miss = true},
          {.name = "*bias", .decay_scale = 0, .may_miss = true},
          {.name = "*norm*", .decay_scale = 0, .may_miss = true},
          {.name = "*logit_scale*", .decay_scale = 0, .may_miss = true}};
}

std::vector<GroupSettings> assign_settings(const std::vector<GroupRule>& rules,
                                           const std::vector<nn::ParameterPtr>& parameters) {
  std::vector<GroupSettings> settings(parameters.size());
  for (const auto& rule : rules) {
    check_scale(rule, "lr_scale", rule.lr_scale);
    check_scale(rule, "decay_scale", rule.decay_scale);
    bool met = false;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!matches(rule, *parameters[i])) continue;
      apply(rule, settings[i]);
      met = true;
    }
    STRATA_CHECK(met || rule.may_miss, usage, "optim",
                 fmt::format("rule '{}' matches none of {} parameters", rule.name, parameters.size()),
                 "names are as in the checkpoint; * stands for any characters");
  }
  return settings;
}

}  // namespace strata::optim
