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

// What a run tests: all of it unless told otherwise.
struct Selection {
  std::string op, backend;
  bool training_only = false;
};

struct Row {
  Count outputs, gradients, differences;
  double seconds = 0;
};

class Selftest {
 public:
  explicit Selftest(const Selection& selection)
      : op_(selection.op),
        backends_(conformance::make_backends(selection.backend)),
        seed_(conformance::seed_from_environment()) {
    const auto names = backend_names();
    for (const auto& backend : backends_)  // the test suite also has the lower instruction sets
      if (std::ranges::find(names, backend.name) != names.end()) tested_.push_back(&backend);
  }

  void run_ops() {
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
  }

  void run_training() {
    for (const auto dtype : {DType::f32, DType::bf16}) train_in(dtype);
  }

  void finish() const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    for (const auto& failure : failures_) fmt::print("FAILED {}\n", failure);
    fmt::print("{} passed, {} failed in {:.1f} s\n", run_ - static_cast<int>(failures_.size()), failures_.size(),
               seconds);
    STRATA_CHECK(failures_.empty(), internal, "selftest", fmt::format("{} of {} checks failed", failures_.size(), run_),
                 "do not train with this build on this machine; report the lines above with the output of strata info");
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
            [&] { return conformance::check_gradient(one, reference, reference, seed_, 8); });
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

  // Learns, repeats itself bit by bit, and agrees between backends: the first is the reference.
  void train_in(DType dtype) {
    constexpr int kSteps = 30, kCompared = 10;
    constexpr double kFast = 2e-3, kSlow = 1e-4;
    fmt::print("training in {}: the loss before each of {} steps, and after {} faster ones\n", name_of(dtype),
               kCompared, kSteps);
    std::vector<double> first;
    for (const auto* backend : tested_) {
      Context ctx = backend->context();
      const auto where = fmt::format("training in {} on {}", name_of(dtype), backend->name);
      Count count;
      std::vector<double> losses, fast;
      check(count, where, [&] {
        fast = train_small_encoder(ctx, dtype, kSteps, kFast, seed_);
        const bool learnt = fast.back() < 0.2 * fast.front();
        return Outcome{learnt, fmt::format("loss {:.4f} to {:.4f} in {} steps", fast.front(), fast.back(), kSteps)};
      });
      check(count, where + ", again", [&] {
        losses = train_small_encoder(ctx, dtype, kCompared, kSlow, seed_);
        const auto again = train_small_encoder(ctx, dtype, kCompared, kSlow, seed_);
        return Outcome{losses == again, "the losses have other bits"};
      });
      if (first.empty()) first = losses;
      check(count, where + ", against " + tested_.front()->name, [&] { return compare_losses(dtype, losses, first); });
      print_losses(dtype, backend->name, losses, first, count);
      fmt::print("  last {:.4f}\n", fast.empty() ? NAN : fast.back());
    }
  }

  static double allowed(DType dtype) { return dtype == DType::f32 ? 1e-5 : 1e-2; }

  static double worst_of(const std::vector<double>& losses, const std::vector<double>& expected) {
    if (losses.empty() || losses.size() != expected.size()) return INFINITY;
    double worst = 0;
    for (std::size_t i = 0; i < losses.size(); ++i)
      worst = std::max(worst, std::abs(losses[i] - expected[i]) / std::abs(expected[i]));
    return worst;
  }

  static Outcome compare_losses(DType dtype, const std::vector<double>& losses, const std::vector<double>& expected) {
    const double worst = worst_of(losses, expected);
    return {worst <= allowed(dtype),
            fmt::format("losses differ by up to {:.1e} relative, {:.0e} is allowed", worst, allowed(dtype))};
  }

  static void print_losses(DType dtype, const std::string& name, const std::vector<double>& losses,
                           const std::vector<double>& expected, const Count& count) {
    fmt::print("  {:12}{:>5} ", name, count.str());
    for (const double loss : losses) fmt::print(" {:.5f}", loss);
    fmt::print("  relative difference {:.1e} of {:.0e} allowed", worst_of(losses, expected), allowed(dtype));
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
  const auto selection = std::make_shared<Selection>();
  parser.add_option("--op", selection->op, "only this op, without the training run")->type_name("NAME");
  parser.add_option("--backend", selection->backend, "only this backend, against the reference")->type_name("NAME");
  parser.add_flag("--training", selection->training_only, "only the training run");
  return [selection] {
    Selftest selftest(*selection);
    if (!selection->training_only) selftest.run_ops();
    if (selection->op.empty()) selftest.run_training();
    selftest.finish();
  };
}

}  // namespace strata::app
