// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/training.hpp"

#include <array>
#include <chrono>

namespace strata::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

template <std::size_t N>
void reduce(comm::Communicator& world, std::array<double, N>& values, comm::Reduction reduction) {
  world.all_reduce(Tensor::borrow(values.data(), DType::f64, {std::int64_t{N}}), reduction).wait();
}

// Sums up steps until somebody asks.
class Window {
 public:
  void add(const StepReport& step) {
    last_ = step;
    ++steps_;
    studies_ += step.studies;
    tokens_ += static_cast<double>(step.work.tokens);
    flops_ += 3 * step.work.forward_flops;
    seconds_ += step.seconds;
    wall_ += step.seconds.total();
  }
  bool empty() const { return steps_ == 0; }

  TrainingReport close(comm::Communicator& world, std::int64_t done, double peak_flops) {
    const double ranks = world.size(), steps = static_cast<double>(steps_);
    std::array sums{tokens_,           flops_,        seconds_.input,     seconds_.forward,
                    seconds_.backward, seconds_.sync, seconds_.optimizer, wall_};
    reduce(world, sums, comm::Reduction::sum);
    const double wall = sums[7] / ranks;
    TrainingReport report{done, {{"loss", last_.loss}, {"lr", last_.lr}, {"gradient_norm", last_.gradient_norm}}};
    auto& values = report.values;
    values.insert(values.end(), last_.figures.begin(), last_.figures.end());
    values.emplace_back("studies_per_second", static_cast<double>(studies_) / wall);
    values.emplace_back("tokens_per_second", sums[0] / wall);
    values.emplace_back("tflops", sums[1] / wall * 1e-12);
    if (peak_flops > 0) values.emplace_back("share_of_peak", sums[1] / wall / peak_flops);
    constexpr std::array kParts{"seconds/input", "seconds/forward", "seconds/backward", "seconds/sync",
                                "seconds/optimizer"};
    for (std::size_t i = 0; i < kParts.size(); ++i) values.emplace_back(kParts[i], sums[2 + i] / ranks / steps);
    *this = {};
    return report;
  }

 private:
  StepReport last_;
  std::int64_t steps_ = 0, studies_ = 0;
  double tokens_ = 0, flops_ = 0, wall_ = 0;
  StepSeconds seconds_;
};

bool due(std::int64_t step, std::int64_t every) { return every > 0 && step % every == 0; }

}  // namespace

bool train(Trainer& trainer, comm::Communicator& world, const TrainingOptions& options, const TrainingEvents& events) {
  Window window;
  auto saved = Clock::now();
  while (trainer.steps_done() < options.steps) {
    window.add(trainer.step());
    const std::int64_t done = trainer.steps_done();
    const bool last = done == options.steps;
    // Every rank may be asked to stop; the clock is rank 0's.
    std::array asked{
        events.stop && events.stop() ? 1.0 : 0.0,
        world.rank() == 0 && options.checkpoint_seconds > 0 && seconds_since(saved) >= options.checkpoint_seconds
            ? 1.0
            : 0.0};
    reduce(world, asked, comm::Reduction::max);
    const bool stop = asked[0] > 0 && !last;
    if (due(done, options.log_every) || last || stop) {
      const TrainingReport report = window.close(world, done, options.peak_flops);
      if (events.report) events.report(report);
    }
    if (events.evaluate && (due(done, options.eval_every) || last)) events.evaluate(done);
    if (events.checkpoint && (due(done, options.checkpoint_every) || asked[1] > 0 || last || stop)) {
      events.checkpoint(done);
      saved = Clock::now();
    }
    if (stop) return false;
  }
  return true;
}

}  // namespace strata::engine
