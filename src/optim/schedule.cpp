// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "optim/names.hpp"
#include "strata/base/error.hpp"

namespace strata::optim {
namespace {

constexpr std::array<std::string_view, 3> kKinds{"constant", "cosine", "cool_down"};
constexpr std::array<std::string_view, 2> kWarmUps{"ahead", "from_start"};

void check_rate(std::string_view what, double value) {
  STRATA_CHECK(std::isfinite(value) && value >= 0, usage, "schedule",
               fmt::format("{} is {}, which is no rate", what, value), "rates are 0 or more");
}

void check_lengths(const ScheduleConfig& config) {
  STRATA_CHECK(config.total > 0 || config.kind == ScheduleKind::constant, usage, "schedule",
               fmt::format("{} over {} steps", name_of(config.kind), config.total), "set the total number of steps");
  STRATA_CHECK(config.warm_up >= 0 && config.cool_down >= 0, usage, "schedule",
               fmt::format("warm-up {} and cool-down {} steps", config.warm_up, config.cool_down), "use 0 for none");
  const std::int64_t cool_down = config.kind == ScheduleKind::cool_down ? config.cool_down : 0;
  STRATA_CHECK(
      config.total == 0 || config.warm_up + cool_down <= config.total, usage, "schedule",
      fmt::format("warm-up {} and cool-down {} are longer than all {} steps", config.warm_up, cool_down, config.total),
      "train longer or shorten them");
  STRATA_CHECK(std::isfinite(config.power) && config.power > 0, usage, "schedule",
               fmt::format("cool-down to the power {}", config.power), "1 is linear, 0.5 a square root");
}

double warming_up(const ScheduleConfig& config, std::int64_t step) {
  const double share = static_cast<double>(step) / static_cast<double>(config.warm_up);
  if (config.warm_up_form == WarmUp::from_start) return config.start + (config.peak - config.start) * share;
  return config.peak * static_cast<double>(step + 1) / static_cast<double>(config.warm_up);
}

double cooling_down(const ScheduleConfig& config, std::int64_t step) {
  const std::int64_t begin = config.total - config.cool_down;
  if (step < begin) return config.peak;
  if (step >= config.total) return config.cool_down > 0 ? config.end : config.peak;
  const double progress = static_cast<double>(step - begin) / static_cast<double>(config.cool_down);
  return config.end + (config.peak - config.end) * std::pow(1 - progress, config.power);
}

}  // namespace

std::string_view name_of(ScheduleKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::string_view name_of(WarmUp form) { return kWarmUps[static_cast<std::size_t>(form)]; }
ScheduleKind parse_schedule_kind(std::string_view name) {
  return static_cast<ScheduleKind>(parse_name("schedule", "schedule", name, kKinds));
}
WarmUp parse_warm_up(std::string_view name) {
  return static_cast<WarmUp>(parse_name("schedule", "form of warm-up", name, kWarmUps));
}

Schedule::Schedule(const ScheduleConfig& config) : config_(config) {
  check_rate("the peak", config.peak);
  check_rate("the end", config.end);
  check_rate("the start", config.start);
  check_lengths(config);
}

double Schedule::at(std::int64_t step) const {
  STRATA_CHECK(step >= 0, internal, "schedule", fmt::format("step {}", step));
  if (step < config_.warm_up) return warming_up(config_, step);
  switch (config_.kind) {
    case ScheduleKind::constant: return config_.peak;
    case ScheduleKind::cosine:
      return cosine_between(config_.peak, config_.end, step - config_.warm_up, config_.total - config_.warm_up);
    case ScheduleKind::cool_down: return cooling_down(config_, step);
  }
  return config_.peak;
}

double cosine_between(double from, double to, std::int64_t step, std::int64_t total) {
  if (step >= total) return to;
  const double progress = static_cast<double>(step) / static_cast<double>(total);
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

double growing_decay(double decay, std::int64_t updates) {
  const auto n = static_cast<double>(updates);
  return std::min(decay, (1 + n) / (10 + n));
}

}  // namespace strata::optim
