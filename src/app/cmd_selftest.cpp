// SPDX-License-Identifier: Apache-2.0
// strata selftest: the op cases of the test suite on the backends as a run would use them, and a small training run.
// For a new machine: a build that passes its tests elsewhere may still meet another processor or another library here.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>

#include "app/command.hpp"
#include "app/selftest_training.hpp"
#include "app/wiring.hpp"
#include "strata/base/error.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/conformance/checks.hpp"
#include "tests/conformance/drawn.hpp"

namespace strata::app {
namespace {

using conformance::OpCase;
using conformance::Outcome;

struct Count {
  int passed = 0, run = 0;
  std::string str() const { return run == 0 ? "-" : fmt::format("{}/{}", passed, run); }
};

struct Row {
  Count outputs, gradients, differences;
  double seconds = 0;
};

class Selftest {
 public:
  explicit Selftest(std::string op)
      : op_(std::move(op)), backends_(conformance::make_backends()), seed_(conformance::seed_from_environment()) {
    const auto names = backend_names();
    for (const auto& backend : backends_)  // the test suite also has the lower instruction sets
      if (std::ranges::find(names, backend.name) != names.end()) tested_.push_back(&backend);
  }

  void run() {
    std::vector<std::string> names;
    for (const auto& one : conformance::all_cases()) {
      if (names.empty() || names.back() != one.op_name) names.push_back(one.op_name);
      if (!one.only_timed() && (op_.empty() || one.op_name == op_)) run_case(one);
    }
    if (!op_.empty() && rows_.empty()) {
      const auto near = nearest_name(op_, names);
      fail(ErrorKind::usage, "selftest", fmt::format("there is no op '{}'", op_),
           near.empty() ? "strata info lists the ops" : fmt::format("did you mean '{}'?", near));
    }
    print_table();
    if (op_.empty()) run_training();
    finish();
  }

 private:
  template <class Check>
  void check(Count& count, const std::string& what, Check run_check) {
    ++count.run;
    ++run_;
    Outcome outcome;
    try {
      outcome = run_check();
    } catch (const std::exception& error) {
      outcome = {false, error.what()};
    }
    if (outcome.passed) {
      ++count.passed;
    } else {
      failures_.push_back(fmt::format("{}, seed {}\n    {}", what, seed_, outcome.text));
    }
  }

  void run_case(const OpCase& one) {
    const auto begin = std::chrono::steady_clock::now();
    Row& row = rows_[one.op_name];
    Context reference = backends_.front().context();
    for (const auto* backend : tested_) {
      Context tested = backend->context();
      for (const auto dtype : one.dtypes) {
        if (backend != tested_.front() && !conformance::has_own_kernel(one, dtype, backend->table)) continue;
        const auto what = fmt::format("{} in {} on {}", one.name(), name_of(dtype), backend->name);
        check(row.outputs, what, [&] { return conformance::compare_outputs(one, dtype, tested, reference, seed_); });
        if (one.has_gradient())
          check(row.gradients, "gradient of " + what,
                [&] { return conformance::compare_gradients(one, dtype, tested, reference, seed_); });
      }
    }
    if (one.has_gradient())
      check(row.differences, "finite differences of " + one.name(),
            [&] { return conformance::check_gradient(one, reference, seed_, 8); });
    row.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  void print_table() const {
    fmt::print("backends:");
    for (const auto* backend : tested_) fmt::print(" {}", backend->name);
    fmt::print("   seed {}\n{:28}{:>10}{:>12}{:>14}{:>9}\n", seed_, "op", "outputs", "gradients", "differences",
               "seconds");
    for (const auto& [op, row] : rows_)
      fmt::print("{:28}{:>10}{:>12}{:>14}{:>9.2f}\n", op, row.outputs.str(), row.gradients.str(), row.differences.str(),
                 row.seconds);
  }

  // Learns, repeats itself bit by bit, and agrees between backends.
  void run_training() {
    constexpr int kSteps = 30, kRepeated = 5;
    std::vector<double> first;
    for (const auto* backend : tested_) {
      Context ctx = backend->context();
      Count count;
      std::vector<double> losses;
      check(count, "training on " + backend->name, [&] {
        losses = train_small_encoder(ctx, kSteps, seed_);
        const bool learnt = losses.back() < 0.2 * losses.front();
        return Outcome{learnt, fmt::format("loss {:.4f} to {:.4f} in {} steps", losses.front(), losses.back(), kSteps)};
      });
      check(count, "training again on " + backend->name, [&] {
        const auto again = train_small_encoder(ctx, kRepeated, seed_);
        return Outcome{std::equal(again.begin(), again.end(), losses.begin()), "the losses have other bits"};
      });
      if (first.empty()) first = losses;
      check(count, fmt::format("losses of {} and {}", tested_.front()->name, backend->name), [&] {
        double worst = 0;
        for (std::size_t i = 0; i < std::min(losses.size(), first.size()); ++i)
          worst = std::max(worst, std::abs(losses[i] - first[i]));
        return Outcome{losses.size() == first.size() && worst < 1e-3,
                       fmt::format("they differ by up to {:.2e}", worst)};
      });
      if (!losses.empty())
        fmt::print("training on {:17}{:>10}   loss {:.4f} to {:.4f} in {} steps\n", backend->name, count.str(),
                   losses.front(), losses.back(), kSteps);
    }
  }

  void finish() const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    for (const auto& failure : failures_) fmt::print("FAILED {}\n", failure);
    fmt::print("{} passed, {} failed in {:.1f} s\n", run_ - static_cast<int>(failures_.size()), failures_.size(),
               seconds);
    STRATA_CHECK(failures_.empty(), internal, "selftest", fmt::format("{} of {} checks failed", failures_.size(), run_),
                 "do not train with this build on this machine; report the lines above with the output of strata info");
  }

  std::string op_;
  std::deque<conformance::TestBackend> backends_;
  std::vector<const conformance::TestBackend*> tested_;  // the reference first
  std::uint64_t seed_;
  std::map<std::string, Row> rows_;
  std::vector<std::string> failures_;
  int run_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

Action add_selftest(CLI::App& parser) {
  const auto op = std::make_shared<std::string>();
  parser.add_option("--op", *op, "only this op, without the training run")->type_name("NAME");
  return [op] { Selftest(*op).run(); };
}

}  // namespace strata::app
