// SPDX-License-Identifier: Apache-2.0
//
// What changes with the step: learning rate, weight decay, a teacher's momentum. All are pure functions of the step (0
// is the first), so a resumed run needs no schedule state. Sources: OpenCLIP's cosine_lr, const_lr and
// const_lr_cooldown; DINO's cosine_scheduler.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::optim {

enum class ScheduleKind : std::uint8_t {
  constant,   // the peak, after warm-up
  cosine,     // from the peak after warm-up to `end` at step `total`
  cool_down,  // the peak, then over the last `cool_down` steps end + (peak − end)·(1 − progress)^power
};

enum class WarmUp : std::uint8_t {
  ahead,       // peak·(step + 1)/warm_up: OpenCLIP and HLIP; never zero
  from_start,  // start + (peak − start)·step/warm_up: DINO and HeadCT
};

std::string_view name_of(ScheduleKind kind);
std::string_view name_of(WarmUp form);
ScheduleKind parse_schedule_kind(std::string_view name);  // unknown name: usage error with the nearest one
WarmUp parse_warm_up(std::string_view name);

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::cosine;
  double peak = 1e-3;
  double end = 0;  // cosine, cool_down
  std::int64_t total = 0;
  std::int64_t warm_up = 0;
  WarmUp warm_up_form = WarmUp::ahead;
  double start = 0;            // of WarmUp::from_start
  std::int64_t cool_down = 0;  // steps
  double power = 1;            // of the cool-down: 1 linear, 0.5 square root
};

class Schedule {
 public:
  // Negative or non-finite rates, warm-up (and cool-down) longer than the whole: usage errors.
  explicit Schedule(const ScheduleConfig& config);

  const ScheduleConfig& config() const { return config_; }
  double at(std::int64_t step) const;  // beyond `total`: as at its end; negative: internal error

 private:
  ScheduleConfig config_;
};

// From `from` at step 0 to `to` at step `total` and beyond by half a cosine: weight decay 0.04 → 0.4, teacher momentum
// 0.994 → 1.
double cosine_between(double from, double to, std::int64_t step, std::int64_t total);

// Decay of an average of weights that starts short and grows: min(decay, (1 + updates)/(10 + updates)).
double growing_decay(double decay, std::int64_t updates);

}  // namespace strata::optim
