// SPDX-License-Identifier: Apache-2.0
#include "app/named_checkpoint.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "io/checkpoint/checkpoint.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::app {
namespace {
namespace fs = std::filesystem;

std::string shown(const std::string& path) { return printable(path, 400); }

// Of a loss the lowest, of any other value the highest.
std::unique_ptr<io::StoredCheckpoint> open_best(const io::CheckpointStore& store, const std::string& folder) {
  std::unique_ptr<io::StoredCheckpoint> best;
  std::optional<double> best_score;
  for (const auto step : store.steps()) {
    auto stored = store.open(step);
    const auto facts = checkpoint_facts(*stored);
    if (!facts.score) continue;
    const bool lowest = facts.score_name.find("loss") != std::string::npos;
    if (best_score && (lowest ? *facts.score >= *best_score : *facts.score <= *best_score)) continue;
    best_score = facts.score;
    best = std::move(stored);
  }
  STRATA_CHECK(best != nullptr, usage, "checkpoint", fmt::format("no checkpoint in {} has a score", shown(folder)),
               "leave --best out, or train with train.eval_every");
  return best;
}

}  // namespace

const std::string& checkpoint_text(const io::StoredCheckpoint& stored, const char* name) {
  const auto at = stored.texts().find(name);
  STRATA_CHECK(at != stored.texts().end(), checkpoint, "checkpoint",
               fmt::format("{} holds no {}", shown(stored.path()), name), "is it a checkpoint of strata train?");
  return at->second;
}

engine::TrainingFacts checkpoint_facts(const io::StoredCheckpoint& stored) {
  return engine::facts_from_json(checkpoint_text(stored, engine::kFactsText), stored.path());
}

NamedCheckpoint open_named_checkpoint(comm::Communicator& world, const std::string& path, bool best) {
  std::error_code unknown;
  const fs::path run = path;
  STRATA_CHECK(fs::exists(run, unknown), usage, "checkpoint", fmt::format("there is no {}", shown(path)),
               "name a run's folder or a checkpoint");
  if (!fs::is_directory(run, unknown)) {
    STRATA_CHECK(!best, usage, "checkpoint", fmt::format("{} is a single checkpoint", shown(path)),
                 "name the run's folder to take its best one");
    return {nullptr, io::open_checkpoint(path, world)};
  }
  const fs::path inside = run / "checkpoints";
  const std::string folder = fs::is_directory(inside, unknown) ? inside.string() : path;
  NamedCheckpoint opened{io::open_checkpoints(folder, world), nullptr};
  const auto steps = opened.store->steps();
  STRATA_CHECK(!steps.empty(), usage, "checkpoint", fmt::format("there is no checkpoint in {}", shown(folder)),
               "name a run's folder or a checkpoint");
  opened.stored = best ? open_best(*opened.store, folder) : opened.store->open(steps.back());
  return opened;
}

}  // namespace strata::app
