// SPDX-License-Identifier: Apache-2.0
//
// Steps that repeat, launched in pieces instead of kernel by kernel. Everything between `begin` and `end` that runs on
// this context's default stream belongs to a step. The first step of a key runs plainly; the second is recorded, in
// pieces of up to `kPiece` ops that end wherever the host looks at the device; later ones compare each op, tensor and
// allocation with what was recorded and launch a piece as soon as all of it has come. Values that change from step to
// step must come through memory: tensors at the same addresses, and uploads, which are made anew. Where a step does
// something else than the recorded one, what was compared but not launched is run plainly, and so is the rest: numbers
// never depend on any of this.
//
// A recorded step may not leave tensors behind (`refused` counts those that do). Where the backend has no Recorder, all
// of this passes everything on. For one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "strata/runtime/context.hpp"

namespace strata {

struct StepGraphStatistics {
  std::int64_t plain = 0, recorded = 0, replayed = 0;  // steps; plain: from some point on
  std::int64_t diverged = 0;                           // of the plain ones, those that began to be replayed
  std::int64_t refused = 0;                            // keys that cannot be recorded
  std::int64_t launches = 0;                           // of recorded pieces
  std::string why_refused;                             // the last of them: for people
};

class StepGraphs {
 public:
  static constexpr int kPiece = 64;

  // Both outlive this object; the backend lives as long as any tensor made with `context`.
  StepGraphs(std::shared_ptr<Backend> backend, const KernelTable& table);
  ~StepGraphs();
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  // What everything of a job works with, inside steps and outside.
  std::shared_ptr<Backend> backend() const;
  const KernelTable& table() const;
  Context context() const { return Context(backend(), table()); }

  // Steps of one key are expected to do the same. An error in between: begin() forgets that step.
  void begin(std::string_view key);
  void end();

  const StepGraphStatistics& statistics() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
  KernelTable table_;
};

}  // namespace strata
