// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/checkpointing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_set>

#include "engine/state_difference.hpp"
#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "strata/base/text.hpp"
#include "strata/engine/model_state.hpp"

namespace strata::engine {
namespace {

constexpr std::string_view kSubject = "checkpoint";

std::string steps_text(const std::vector<std::int64_t>& steps) {
  std::string text;
  for (const auto step : steps) text += fmt::format("{}{}", text.empty() ? "" : ", ", step);
  return text;
}

// "4 ranks instead of 2, ..."
std::string changes(const TrainingFacts& then, const TrainingFacts& now) {
  std::string text;
  const auto tell = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  const auto number = [&](std::string_view what, int before, int after) {
    if (before > 0 && after > 0 && before != after) tell(fmt::format("{} {} instead of {}", after, what, before));
  };
  const auto word = [&](std::string_view what, const std::string& before, const std::string& after) {
    if (!before.empty() && !after.empty() && before != after)
      tell(fmt::format("{} {} instead of {}", what, printable(after), printable(before)));
  };
  number("ranks", then.ranks, now.ranks);
  number("threads", then.threads, now.threads);
  word("plan", then.plan, now.plan);
  word("backend", then.backend, now.backend);
  word("type", then.dtype, now.dtype);
  word("instruction set", then.instruction_set, now.instruction_set);
  word("build", then.build, now.build);
  return text;
}

void warn_of_changes(const TrainingFacts& then, const TrainingFacts& now) {
  const std::string text = changes(then, now);
  if (!text.empty())
    log(LogLevel::warning, kSubject,
        fmt::format("resumed at step {} with {}: the same samples follow, but sums may round differently, so the "
                    "losses are not the same to the last bit",
                    then.step, text));
  if (then.seed != now.seed)
    log(LogLevel::warning, kSubject,
        fmt::format("resumed at step {} with seed {} instead of {}: other draws follow", then.step, now.seed,
                    then.seed));
}

StateEntry entry_of(const nn::Parameter& parameter, std::string name, Tensor value) {
  return {.name = std::move(name),
          .value = std::move(value),
          .placement = parameter.placement(),
          .global = parameter.global_shape()};
}

void add_optimizer(StateDict& state, const optim::Optimizer& optimizer) {
  for (auto& [name, value, placement, begin, end, global] : optimizer.state())
    state.add({.name = name, .value = value, .placement = placement, .global = global, .begin = begin, .end = end});
}

void add_averages(StateDict& state, const optim::Ema& averages) {
  for (auto& [name, value, placement, global] : averages.state())
    state.add({.name = name, .value = value, .placement = placement, .global = global});
}

// Stored names that this state has no place for; not those of parameters that another rank's optimizer steps.
std::vector<std::string> unwanted_names(const io::StoredCheckpoint& stored, const StateDict& wanted,
                                        const optim::Optimizer& optimizer) {
  std::unordered_set<std::string> own;
  for (const auto& share : optimizer.shares()) own.insert(share.parameter->name());
  std::vector<std::string> names;
  for (const auto& tensor : stored.tensors()) {
    if (wanted.find(tensor.name) != nullptr) continue;
    const std::string base = tensor.name.substr(0, tensor.name.rfind('.'));
    const bool elsewhere = wanted.find(base) != nullptr && !own.contains(base) && !tensor.name.ends_with(".ema");
    if (!elsewhere) names.push_back(tensor.name);
  }
  return names;
}

void refuse(const io::StoredCheckpoint& stored, const std::string& difference) {
  if (difference.empty()) return;
  fail(ErrorKind::checkpoint, kSubject,
       fmt::format("{} is a checkpoint of another model or optimizer: {}", printable(stored.path(), 400), difference),
       "its own configuration is in it (strata inspect shows config.yaml): use that one, or another folder");
}

}  // namespace

// Masters are read into memory of their own and then assigned, which also sets the compute copies; all else is read in
// place.
struct Checkpointing::Fresh {
  StateDict state = {};
  std::vector<std::pair<nn::ParameterPtr, Tensor>> masters;
};

Checkpointing::Checkpointing(io::CheckpointStore& store, const nn::Module& model, optim::Optimizer& optimizer,
                             optim::Ema* averages, CheckpointingOptions options)
    : store_(store), model_(model), optimizer_(optimizer), averages_(averages), options_(options) {
  STRATA_CHECK(options_.keep >= 0, usage, kSubject, fmt::format("{} checkpoints cannot stay", options_.keep),
               "0 keeps all");
  read_scores();
}

void Checkpointing::read_scores() {
  for (const auto step : store_.steps()) {
    auto& score = scores_[step];
    try {
      const auto stored = store_.open(step);
      const auto facts = stored->texts().find(kFactsText);
      if (facts != stored->texts().end()) score = facts_from_json(facts->second, stored->path()).score;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::checkpoint) throw;  // a damaged one has no score; resume speaks of it
    }
  }
}

StateDict Checkpointing::training_state(Context& ctx) const {
  optimizer_.create_state(ctx);
  StateDict state = model_state(model_);
  add_optimizer(state, optimizer_);
  if (averages_ != nullptr) add_averages(state, *averages_);
  return state;
}

Checkpointing::Fresh Checkpointing::fresh_state(Context& ctx) const {
  Fresh fresh;
  for (const auto& parameter : model_.parameters()) {
    const Tensor host = host_tensor(parameter->master_type(), parameter->spec().shape);
    fresh.masters.emplace_back(parameter, host);
    fresh.state.add(entry_of(*parameter, parameter->name(), host));
  }
  optimizer_.create_state(ctx);
  add_optimizer(fresh.state, optimizer_);
  if (averages_ != nullptr) add_averages(fresh.state, *averages_);
  return fresh;
}

void Checkpointing::save(Context& ctx, const TrainingFacts& now, const io::CheckpointTexts& texts) {
  STRATA_CHECK(averages_ == nullptr || !averages_->swapped(), usage, kSubject,
               "a save while the averages stand in the model", "swap the weights back first");
  io::CheckpointTexts all = texts;
  all[kFactsText] = facts_to_json(now);
  store_.save(ctx, now.step, training_state(ctx), all);
  texts_ = std::move(all);
  scores_[now.step] = now.score && std::isfinite(*now.score) ? now.score : std::nullopt;
  prune(now.step);
}

std::optional<std::int64_t> Checkpointing::best_step() const {
  std::optional<std::int64_t> best;
  for (const auto& [step, score] : scores_) {
    if (!score) continue;
    const bool better = !best || (options_.highest_best ? *score >= *scores_.at(*best) : *score <= *scores_.at(*best));
    if (better) best = step;
  }
  return best;
}

void Checkpointing::remove(std::int64_t step) {
  store_.remove(step);
  scores_.erase(step);
}

void Checkpointing::prune(std::int64_t saved) {
  auto standing = store_.steps();
  for (const auto step : abandoned_)
    if (step > saved && std::ranges::find(standing, step) != standing.end()) remove(step);
  std::erase_if(abandoned_, [&](std::int64_t step) { return step > saved; });
  if (options_.keep == 0) return;
  std::erase_if(standing, [&](std::int64_t step) { return step > saved; });
  const auto best = best_step();
  const auto last = std::min(static_cast<std::size_t>(options_.keep), standing.size());
  standing.resize(standing.size() - last);
  for (const auto step : standing)
    if (step != best) remove(step);
}

std::optional<TrainingFacts> Checkpointing::resume(Context& ctx, const TrainingFacts& now,
                                                   std::optional<std::int64_t> step) {
  STRATA_CHECK(averages_ == nullptr || !averages_->swapped(), usage, kSubject,
               "a resume while the averages stand in the model", "swap the weights back first");
  std::optional<TrainingFacts> facts;
  if (step) {
    const auto stored = store_.open(*step);
    const Fresh fresh = fresh_state(ctx);
    facts = check_fits(*stored, fresh);
    stored->read(ctx, fresh.state);
    take(ctx, *stored, fresh);
  } else {
    facts = resume_newest(ctx);
  }
  if (!facts) return facts;
  for (const auto other : store_.steps())
    if (other > facts->step) abandoned_.push_back(other);
  if (!abandoned_.empty() && options_.warns)
    log(LogLevel::warning, kSubject,
        fmt::format("resumed at step {}; the next save removes the later checkpoints ({})", facts->step,
                    steps_text(abandoned_)));
  if (options_.warns) warn_of_changes(*facts, now);
  return facts;
}

// Damage is passed over; a checkpoint of another model is not.
std::optional<TrainingFacts> Checkpointing::resume_newest(Context& ctx) {
  const auto steps = store_.steps();
  for (std::size_t i = steps.size(); i-- > 0;) {
    const auto whole = [&](const std::function<void()>& work) {
      try {
        work();
        return true;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::checkpoint) throw;
        if (options_.warns)
          log(LogLevel::warning, kSubject,
              fmt::format("the checkpoint of step {} is damaged: {}; {}", steps[i], error.message(),
                          i > 0 ? "trying the one before" : "there is none before it"));
        return false;
      }
    };
    std::unique_ptr<io::StoredCheckpoint> stored;
    if (!whole([&] { stored = store_.open(steps[i]); })) continue;
    const Fresh fresh = fresh_state(ctx);
    const TrainingFacts facts = check_fits(*stored, fresh);
    if (!whole([&] { stored->read(ctx, fresh.state); })) continue;
    take(ctx, *stored, fresh);
    return facts;
  }
  STRATA_CHECK(steps.empty(), checkpoint, kSubject, fmt::format("none of the {} checkpoints is whole", steps.size()),
               "bring a copy back, or begin anew in another folder");
  return std::nullopt;
}

TrainingFacts Checkpointing::check_fits(const io::StoredCheckpoint& stored, const Fresh& fresh) const {
  refuse(stored, state_difference(stored, fresh.state, unwanted_names(stored, fresh.state, optimizer_)));
  const auto text = stored.texts().find(kFactsText);
  return facts_from_json(text == stored.texts().end() ? "" : text->second, stored.path());
}

void Checkpointing::take(Context& ctx, const io::StoredCheckpoint& stored, const Fresh& fresh) {
  for (const auto& [parameter, host] : fresh.masters) parameter->assign(ctx, ctx.upload(host));
  texts_ = stored.texts();
}

bool has_averages(const io::StoredCheckpoint& stored) {
  return std::ranges::any_of(stored.tensors(), [](const io::StoredTensor& t) { return t.name == "ema.updates"; });
}

void load_weights(Context& ctx, const io::StoredCheckpoint& stored, const nn::Module& model, bool averaged) {
  STRATA_CHECK(!averaged || has_averages(stored), usage, kSubject,
               fmt::format("{} holds no averaged weights", printable(stored.path(), 400)),
               "take the weights themselves");
  std::map<std::string_view, DType> types;
  for (const auto& tensor : stored.tensors()) types[tensor.name] = tensor.dtype;
  StateDict state = {};
  std::vector<std::pair<nn::ParameterPtr, Tensor>> read;
  for (const auto& parameter : model.parameters()) {
    const std::string average = parameter->name() + ".ema";
    const std::string name = averaged && types.contains(average) ? average : parameter->name();
    const auto type = types.find(name);
    const bool converts = type != types.end() && is_floating(type->second) && is_floating(parameter->master_type());
    const Tensor host = host_tensor(converts ? type->second : parameter->master_type(), parameter->spec().shape);
    read.emplace_back(parameter, host);
    state.add(entry_of(*parameter, name, host));
  }
  refuse(stored, state_difference(stored, state, {}));
  stored.read(ctx, state);
  for (const auto& [parameter, host] : read) parameter->assign(ctx, ctx.upload(host));
}

}  // namespace strata::engine
