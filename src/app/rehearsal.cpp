// SPDX-License-Identifier: Apache-2.0
#include "app/rehearsal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "app/image_text_model.hpp"
#include "app/text_weights.hpp"
#include "app/wiring.hpp"
#include "strata/base/error.hpp"
#include "strata/engine/trainer.hpp"
#include "strata/ops/copy.hpp"

namespace strata::app {
namespace {

constexpr std::int64_t kPieces = 30522;  // of BERT's uncased vocabulary
constexpr std::int64_t kStepsAhead = 4;

// As many equal studies as a few steps have, with the longest texts. Voxels are what the memory holds.
class MadeUpStudies final : public data::StudySource {
 public:
  MadeUpStudies(const RunConfig& run, const models::HierarchicalVit3dConfig& model, std::int64_t scans)
      : studies_(kStepsAhead * run.train.batch), scans_(scans) {
    grid_.channels = model.channels;
    grid_.extents = model.image;
    report_.assign(static_cast<std::size_t>(run.text.context), "a");
  }

  const std::string& name() const override { return name_; }
  std::int64_t studies() const override { return studies_; }
  const study::StoredGrid& grid() const override { return grid_; }
  const std::vector<std::string>& label_names() const override { return labels_; }
  std::int64_t scans(std::int64_t) const override { return scans_; }
  std::string_view key(std::int64_t) const override { return name_; }
  std::string_view split(std::int64_t) const override { return {}; }
  std::int64_t fold(std::int64_t) const override { return -1; }
  std::span<const float> labels(std::int64_t) const override { return {}; }
  std::vector<std::string> report(std::int64_t) const override { return report_; }
  void read(std::span<const data::ReadRequest>) const override {}

 private:
  std::string name_ = "made-up studies";
  std::int64_t studies_, scans_;
  study::StoredGrid grid_;
  std::vector<std::string> labels_, report_;
};

// The rows of other ranks are memory alone.
class RehearsedBatch final : public objectives::GlobalBatch {
 public:
  explicit RehearsedBatch(std::int64_t rows) : rows_(rows) {}
  Rows gather_rows(Context& ctx, const Tensor& mine) override {
    const Tensor all = ctx.empty(mine.dtype(), mine.shape().with(0, std::max(rows_, mine.dim(0))));
    ops::run_into(ctx, ops::Copy{}, {mine}, {all.slice(0, 0, mine.dim(0))});
    return {all, 0};
  }

 private:
  std::int64_t rows_;
};

std::string made_up_vocabulary() {
  std::string text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";
  for (std::int64_t i = 6; i < kPieces; ++i) text += fmt::format("a{}\n", i);
  return text;
}

std::string vocabulary_of(const RunConfig& run, std::vector<std::string>& notes) {
  std::string why = "none is named";
  if (!run.text.vocabulary.empty() || !run.text.weights.empty()) {
    try {
      return read_vocabulary(run.text).contents;
    } catch (const Error& error) {
      why = error.message();
    }
  }
  notes.push_back(fmt::format("a vocabulary of {} pieces is assumed: {}", kPieces, why));
  return made_up_vocabulary();
}

WiredBackend rehearsed_backend(const RunConfig& run, std::vector<std::string>& notes) {
  const auto names = backend_names();
  const bool built = run.backend.empty() || std::ranges::find(names, run.backend) != names.end();
  const bool here = built && run.backend != "cuda";  // rehearsals are the host's
  if (!built)
    notes.push_back(fmt::format("this build has no backend '{}' (it has {}): memory is that of {}", run.backend,
                                fmt::join(names, ", "), names.front()));
  else if (!here)
    notes.push_back(fmt::format("memory is that of {}, not of {}", names.front(), run.backend));
  return wire_backend(here ? run.backend : std::string(), {.threads = run.threads, .rehearsal = true});
}

// Memory for weights; nothing in it.
void make_weights(Context& ctx, const nn::Module& model) {
  for (const auto& parameter : model.parameters())
    if (parameter->role() != nn::Role::buffer)
      parameter->assign(ctx, ctx.empty(parameter->master_type(), parameter->spec().shape));
}

std::vector<TowerParameters> count(const nn::Module& model) {
  std::vector<TowerParameters> towers{{"image tower"}, {"text tower"}, {"temperatures"}};
  for (const auto& parameter : model.parameters()) {
    if (parameter->role() == nn::Role::buffer) continue;
    const std::string& name = parameter->name();
    auto& tower = towers[name.starts_with("visual.") ? 0 : name.starts_with("text.") ? 1 : 2];
    (parameter->trainable() ? tower.trained : tower.frozen) += parameter->spec().shape.numel();
  }
  return towers;
}

data::LoaderOptions loader_options(const RunConfig& run, int ranks) {
  data::LoaderOptions options;
  options.seed = run.seed;
  options.batch_studies = run.train.batch;
  options.max_scans = run.data.max_scans;
  options.packing = packing_rule(run);
  options.ranks = ranks;
  options.threads = 1;
  return options;
}

engine::TrainerOptions trainer_options(const RunConfig& run) {
  engine::TrainerOptions options;
  options.seed = run.seed;
  options.checkpointing = run.checkpointing;
  options.schedule = schedule_config(run.optim, std::max<std::int64_t>(run.train.steps, run.optim.warm_up + 1));
  options.weight_decay = run.optim.weight_decay;
  options.clip = run.optim.clip;
  options.ema_decay = run.optim.ema;
  return options;
}

// Of one rank's gradients as all ranks sum them: one buffer a type.
class RehearsedSum final : public parallel::GradientSync {
 public:
  explicit RehearsedSum(std::vector<nn::ParameterPtr> parameters) : parameters_(std::move(parameters)) {}
  void begin(Context& ctx) override {
    Context gradients = ctx.labelled(MemoryKind::gradients);
    if (memory_.empty())
      for (const auto& parameter : parameters_)
        memory_.push_back(gradients.empty(parameter->grad_type(), parameter->spec().shape));
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i]->set_grad(memory_[i]);
  }

 private:
  std::vector<nn::ParameterPtr> parameters_;
  std::vector<Tensor> memory_;
};

double executed(const RunConfig& run, const Rehearsal& r) {
  const double again = r.rounds > 1 ? static_cast<double>(r.rounds - 1) / static_cast<double>(r.rounds) : 0;
  const double recomputed = run.checkpointing == autograd::Checkpointing::full ? 1 : 0;
  return (3 + again + recomputed) * r.forward_flops;
}

void plan(const data::Loader& loader, Rehearsal& r) {
  const auto step = loader.plan(0);
  r.micro_batches = std::ssize(step.micro_batches);
  r.rounds = std::ssize(step.rounds.front());
  for (const auto index : step.rounds.front())
    if (index >= 0) r.studies += std::ssize(step.micro_batches[static_cast<std::size_t>(index)].members);
  const std::int64_t ranks = std::ssize(step.rounds), idle = ranks * r.rounds - r.micro_batches;
  if (idle > 0)
    r.notes.push_back(fmt::format(
        "{} of {} times a rank has nothing to do in a step: data.multiple_of={} gives as many micro-batches to all",
        idle, ranks * r.rounds, ranks));
}

}  // namespace

Rehearsal rehearse(const RunConfig& run, const RehearsalOptions& options) {
  Rehearsal r;
  const auto visual = visual_config(run.model);
  r.scans = options.scans > 0 ? options.scans : std::max<std::int64_t>(1, run.data.max_scans);
  r.tokens_a_scan = packing_rule(run).tokens_a_scan;
  r.pieces = run.text.context;
  const WiredBackend wired = rehearsed_backend(run, r.notes);
  r.backend = std::string(wired.backend()->name());
  std::set<std::string> slow;
  const WiredBackend watched = wired.wrapped([&slow](const KernelTable::Entry& entry) -> KernelTable::Run {
    const KernelTable::Entry* const at = &entry;
    return [&slow, at](const void* op, Inputs in, Outputs out, Context& ctx) {
      if (at->kernel == "reference") slow.insert(at->op);
      at->run(op, in, out, ctx);
    };
  });
  Context ctx = watched.context();
  const ImageTextModel model = build_model(ctx, run, vocabulary_of(run, r.notes), false);
  objectives::ImageTextObjective& objective = *model.objective;
  make_weights(ctx, objective);
  r.towers = count(objective);

  data::Loader loader({{std::make_shared<MadeUpStudies>(run, visual, r.scans)}}, loader_options(run, options.ranks));
  plan(loader, r);
  optim::Optimizer optimizer(optimizer_config(run.optim, run.seed), objective.trainable_parameters(),
                             optimizer_rules(run.optim));
  std::optional<optim::Ema> ema;
  if (run.optim.ema > 0) ema.emplace(ctx, objective.trainable_parameters());
  RehearsedBatch global(run.train.batch);
  RehearsedSum sync(objective.trainable_parameters());
  const engine::TextReading reading{
      .tokenizer = model.tokenizer, .context = run.text.context, .prefix = {}, .parts = report_parts(run.text)};
  engine::Trainer trainer({ctx, objective, optimizer, ema ? &*ema : nullptr, loader, reading, global, sync},
                          trainer_options(run));
  trainer.step();
  wired.backend()->reset_peak();
  const auto report = trainer.step();
  r.memory = wired.backend()->memory();
  r.input_bytes = loader.statistics().peak_buffer_bytes;
  r.forward_flops = report.work.forward_flops * static_cast<double>(run.train.batch) /
                    static_cast<double>(std::max<std::int64_t>(1, r.studies));
  r.executed_flops = executed(run, r);
  if (!slow.empty() && r.backend != "reference")
    r.notes.push_back(fmt::format("without a kernel of their own on {} in {}, done by the reference loops: {}",
                                  r.backend, name_of(run.dtype), fmt::join(slow, ", ")));
  return r;
}

}  // namespace strata::app
