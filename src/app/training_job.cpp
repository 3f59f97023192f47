// SPDX-License-Identifier: Apache-2.0
#include "app/training_job.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <chrono>
#include <cmath>
#include <filesystem>
#include "app/device_world.hpp"
#include "app/image_text_model.hpp"
#include "app/label_set.hpp"
#include "app/named_checkpoint.hpp"
#include "app/progress_sink.hpp"
#include "app/stop_signal.hpp"
#include "app/study_sets.hpp"
#include "app/wiring.hpp"
#include "build_info.hpp"
#include "io/checkpoint/checkpoint.hpp"
#include "io/metrics/metrics.hpp"
#include "parallel/gradient_sync/whole_sum.hpp"
#include "strata/base/log.hpp"
#include "strata/comm/together.hpp"
#include "strata/config/changes.hpp"
#include "strata/data/shuffled_reports.hpp"
#include "strata/engine/checkpointing.hpp"
#include "strata/engine/distributed_batch.hpp"
#include "strata/engine/evaluation.hpp"
#include "strata/engine/training.hpp"
#include "strata/engine/voxel_statistics.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
constexpr std::int64_t kMeasuredStudies = 2048;  // for model.standardise_voxels

data::LoaderOptions loader_options(const RunConfig& run, const comm::Communicator& world, data::BufferMemory memory) {
  data::LoaderOptions options;
  options.seed = run.seed;
  options.batch_studies = run.train.batch;
  options.max_scans = run.data.max_scans;
  options.packing = packing_rule(run);
  options.rank = world.rank();
  options.ranks = world.size();
  options.threads = run.data.threads;
  options.buffer_bytes = static_cast<std::int64_t>(run.data.buffer_gib * kGib);
  options.cache_bytes = static_cast<std::int64_t>(run.data.cache_gib * kGib);
  options.memory = std::move(memory);
  return options;
}

data::LoaderOptions held_out_options(data::LoaderOptions options, std::int64_t max_scans) {
  options.order = data::StudyOrder::sequential;
  options.max_scans = max_scans > 1 ? 0 : max_scans;  // a table of positions is resampled for more scans than it has
  options.cache_bytes = 0;
  options.threads = 1;
  return options;
}

engine::TrainerOptions trainer_options(const RunConfig& run, std::int64_t steps) {
  engine::TrainerOptions options;
  options.seed = run.seed;
  options.checkpointing = run.checkpointing;
  options.schedule = schedule_config(run.optim, steps);
  options.weight_decay = run.optim.weight_decay;
  options.clip = run.optim.clip;
  options.ema_decay = run.optim.ema;
  return options;
}

std::int64_t elements(const std::vector<nn::ParameterPtr>& parameters) {
  std::int64_t sum = 0;
  for (const auto& parameter : parameters) sum += parameter->global_shape().numel();
  return sum;
}

// All the parts of a run, made in the order in which they need each other.
class TrainingJob {
 public:
  TrainingJob(comm::Communicator& world, const ReadRun& read, const ResumeOptions& resume)
      : world_(world),
        read_(read),
        run_(read.run),
        folder_(run_folder(run_)),
        store_((open_folder(resume), io::open_checkpoints(folder_ + "/checkpoints", world))),
        sets_(world),
        train_sets_(training_sets()),
        backend_(wire_backend(run_.backend, {.threads = run_.threads, .exact = run_.exact})),
        graphs_(backend_.backend(), backend_.table()),
        ctx_(run_.graphs ? graphs_.context() : backend_.context()),
        vocabulary_(stored_vocabulary(resume)),
        model_(build_model(ctx_, run_, vocabulary_, vocabulary_.empty())),
        loader_(train_sets_, loader_options(run_, world, buffer_memory(backend_.backend()))),
        steps_(total_steps(run_.train, loader_.mixture().studies())),
        optimizer_(optimizer_config(run_.optim, run_.seed), model_.objective->trainable_parameters(),
                   optimizer_rules(run_.optim)),
        devices_(open_device_world(world, run_.graphs ? graphs_.backend() : backend_.backend(), run_.comm)),
        global_(*devices_),
        sync_(*devices_, model_.objective->trainable_parameters()) {
    if (run_.model.standardise_voxels && !weights_have_come())
      engine::measure_voxels(ctx_, model_.images->trunk, loader_, world, kMeasuredStudies);
    if (run_.optim.ema > 0) ema_.emplace(ctx_, model_.objective->trainable_parameters());
    open_held_out();
    engine::TextReading reading = text_reading(run_, model_);
    reading.draws = {.seed = run_.seed, .shuffle = run_.text.shuffle_sentences, .dropout = run_.text.sentence_dropout};
    trainer_.emplace(engine::TrainerParts{ctx_, *model_.objective, optimizer_, ema_ ? &*ema_ : nullptr, loader_,
                                          std::move(reading), global_, sync_, run_.graphs ? &graphs_ : nullptr},
                     trainer_options(run_, steps_));
    const bool lowest = run_.train.best.find("loss") != std::string::npos;
    checkpointing_.emplace(
        *store_, *model_.objective, optimizer_, ema_ ? &*ema_ : nullptr,
        engine::CheckpointingOptions{.keep = run_.train.keep, .highest_best = !lowest, .warns = world.rank() == 0});
    if (resume.wanted) go_on(resume);
  }

  bool run() {
    write_configuration();
    open_sinks();
    start_record();
    engine::TrainingOptions options;
    options.steps = steps_;
    options.log_every = run_.train.log_every;
    options.eval_every = run_.train.eval_every;
    options.checkpoint_every = run_.train.checkpoint_every;
    options.checkpoint_seconds = run_.train.checkpoint_minutes * 60;
    options.peak_flops = run_.peak_tflops * 1e12;
    engine::TrainingEvents events;
    events.report = [this](const auto& report) { write("train", report.step, report.values); };
    if (held_out_) events.evaluate = [this](std::int64_t step) { evaluate(step); };
    events.checkpoint = [this](std::int64_t step) { checkpoint(step); };
    events.stop = stop_requested;
    const bool done = engine::train(*trainer_, world_, options, events);
    report_graphs();
    write("end", trainer_->steps_done(), {});
    for (auto& sink : sinks_) sink->flush();
    return done;
  }

 private:
  void report_graphs() const {
    const auto& done = graphs_.statistics();
    if (!run_.graphs || world_.rank() != 0) return;
    if (backend_.backend()->recorder() == nullptr)
      return log(LogLevel::info, "train",
                 fmt::format("graphs: {} records nothing, steps ran as ever", backend_.backend()->name()));
    log(LogLevel::info, "train",
        fmt::format("graphs: {} steps replayed, {} recorded, {} plain ({} went another way){}", done.replayed,
                    done.recorded, done.plain, done.diverged,
                    done.refused > 0 ? "; refused: " + done.why_refused : std::string()));
  }

  // --- before the first step

  // Rank 0 looks and makes; all hear of it.
  void open_folder(const ResumeOptions& resume) {
    comm::together(world_, [&] {
      if (world_.rank() != 0) return;
      std::error_code code;
      const bool used = fs::exists(folder_ + "/checkpoints", code) || fs::exists(folder_ + "/metrics.jsonl", code);
      STRATA_CHECK(!used || resume.wanted, usage, "train",
                   fmt::format("{} holds a run already", io::printable(folder_, 400)),
                   "go on with it by --resume auto, or give this run another name=");
      fs::create_directories(folder_, code);
      STRATA_CHECK(!code, environment, "train",
                   fmt::format("cannot make the folder {}: {}", io::printable(folder_, 400), code.message()),
                   "choose another output=");
    });
  }

  // A resumed run reads reports with the pieces it was trained with, wherever their file is now.
  std::string stored_vocabulary(const ResumeOptions& resume) const {
    if (!resume.wanted) return {};
    const auto steps = store_->steps();
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      try {
        const auto stored = store_->open(*step);
        if (const auto at = stored->texts().find(kVocabularyText); at != stored->texts().end()) return at->second;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::checkpoint) throw;  // resume says what is damaged
      }
    }
    return {};
  }

  // Once it is known that the run can begin, or go on: a mistake leaves the one there is.
  void write_configuration() {
    comm::together(world_, [&] {
      if (world_.rank() != 0) return;
      io::OutputFile file("train", folder_ + "/" + kConfigText);
      file.write(read_.resolved);
      file.commit();
    });
  }

  std::vector<data::WeightedSet> training_sets() {
    auto sets = sets_.choose(run_.data.train, true);
    if (run_.data.shuffled_reports)
      for (auto& set : sets) set.source = data::with_shuffled_reports(set.source, run_.seed);
    return sets;
  }

  // From a checkpoint or a trained tower, with its statistics of voxels.
  bool weights_have_come() const {
    return !vocabulary_.empty() || !run_.start_from.empty() || run_.model.start == Start::weights;
  }

  void open_held_out() {
    if (run_.data.eval.empty()) return;
    held_out_.emplace(sets_.choose(run_.data.eval, true),
                      held_out_options(loader_options(run_, world_, buffer_memory(backend_.backend())),
                                       visual_config(run_.model).max_scans));
    if (run_.zero_shot.empty()) return;
    zero_shot_ = read_label_set(run_.zero_shot);
    engine::check_columns(*zero_shot_, held_out_->mixture().label_names());
  }

  engine::TrainingFacts facts_now() const {
    engine::TrainingFacts facts;
    facts.step = trainer_ ? trainer_->steps_done() : 0;
    facts.loader = trainer_ ? trainer_->loader_state() : loader_.state();
    facts.seed = run_.seed;
    facts.studies = facts.loader.position;
    facts.seconds = seconds();
    facts.score = score_step_ == facts.step ? score_ : std::nullopt;
    facts.score_name = run_.train.best;
    facts.ranks = world_.size();
    facts.threads = cpu_is_built() && backend_.backend()->name() == "cpu" ? cpu_thread_count(*backend_.backend()) : 1;
    facts.plan = fmt::format("data {}", world_.size());
    facts.backend = std::string(backend_.backend()->name());
    facts.dtype = std::string(name_of(run_.dtype));
    facts.instruction_set = facts.backend == "cpu" ? cpu_instruction_set(*backend_.backend()) : "";
    facts.build = fmt::format("{} {}", build_info::kVersion, build_info::kCommit);
    return facts;
  }

  void go_on(const ResumeOptions& resume) {
    const auto facts = checkpointing_->resume(ctx_, facts_now(), resume.step);
    STRATA_CHECK(facts || vocabulary_.empty(), checkpoint, "train",
                 fmt::format("no checkpoint in {}/checkpoints can be read", io::printable(folder_, 400)),
                 "what is wrong with each stands above; begin a new run under another name=");
    if (!facts) return;
    compare_configurations(checkpointing_->texts());
    STRATA_CHECK(facts->loader.seed == run_.seed, usage, "train",
                 fmt::format("the checkpoint was trained with seed {}, not {}", facts->loader.seed, run_.seed),
                 "resume with its seed, or begin a new run with model.start=weights");
    STRATA_CHECK(facts->loader.position == facts->step * run_.train.batch, usage, "train",
                 fmt::format("the checkpoint has seen {} studies in {} steps, which are not {} a step",
                             facts->loader.position, facts->step, run_.train.batch),
                 "resume with the same train.batch, or begin a new run with model.start=weights");
    optimizer_.restore_copies(ctx_);
    loader_.seek(facts->loader);
    trainer_->set_steps_done(facts->step);
    seconds_before_ = facts->seconds;
    resumed_ = true;
  }

  // A run may be resumed with other settings (more steps, another evaluation); it is said which.
  void compare_configurations(const io::CheckpointTexts& texts) const {
    const auto stored = texts.find(kConfigText);
    if (stored == texts.end() || stored->second == read_.resolved || world_.rank() != 0) return;
    const auto changed = config::changes(config::Node::parse(stored->second, "the checkpoint's config.yaml"),
                                         config::Node::parse(read_.resolved, kConfigText));
    if (!changed.empty())
      log(LogLevel::warning, "train",
          fmt::format("resumed with other settings than before: {}", fmt::join(changed, "; ")));
  }

  // --- while it runs

  double seconds() const {
    return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  void open_sinks() {
    if (world_.rank() != 0) return;
    sinks_.push_back(io::json_lines_sink(folder_ + "/metrics.jsonl"));
    sinks_.push_back(io::event_file_sink(folder_));
    ProgressOptions progress;
    progress.steps = steps_;
    sinks_.push_back(progress_sink(progress));
  }

  void write(const std::string& kind, std::int64_t step, std::vector<std::pair<std::string, double>> values,
             std::vector<std::pair<std::string, std::string>> texts = {}) {
    const io::MetricRecord record{kind, step, seconds(), std::move(values), std::move(texts)};
    for (auto& sink : sinks_) sink->write(record);
  }

  void start_record() {
    const auto& mixture = loader_.mixture();
    const auto all = elements(model_.objective->parameters());
    const auto trained = elements(model_.objective->trainable_parameters());
    if (world_.rank() == 0)
      log(LogLevel::info, "train",
          fmt::format("{}: {} studies, {} a step, {} steps{}; {:.2f} M parameters, {:.2f} M of them trained; {} {}, {} "
                      "{}",
                      folder_, mixture.studies(), run_.train.batch, steps_,
                      resumed_ ? fmt::format(", from step {} on", trainer_->steps_done()) : "",
                      static_cast<double>(all) * 1e-6, static_cast<double>(trained) * 1e-6, world_.size(),
                      world_.size() == 1 ? "rank" : "ranks", backend_.backend()->name(), name_of(run_.dtype)));
    if (world_.rank() == 0 && !resumed_)
      for (const auto& note : model_.notes) log(LogLevel::info, "train", note);
    warn_of_idle_ranks();
    write("start", trainer_->steps_done(), {{"steps", static_cast<double>(steps_)}}, {{"config", read_.resolved}});
  }

  void warn_of_idle_ranks() const {
    const auto micro_batches = std::ssize(loader_.plan(trainer_->steps_done()).micro_batches);
    if (world_.rank() == 0 && micro_batches % world_.size() != 0)
      log(LogLevel::warning, "train",
          fmt::format("{} micro-batches a step leave some of {} ranks idle: set data.multiple_of={}", micro_batches,
                      world_.size(), world_.size()));
  }

  void evaluate(std::int64_t step) {
    engine::Evaluation result;
    const auto measure = [&] {
      result = engine::evaluate(ctx_, *model_.objective, *held_out_, text_reading(run_, model_),
                                zero_shot_ ? &*zero_shot_ : nullptr, world_);
    };
    if (ema_)
      optim::with_averages(ctx_, *ema_, measure);
    else
      measure();
    if (const double* score = result.find(run_.train.best); score != nullptr && std::isfinite(*score)) {
      score_ = *score;
      score_step_ = step;
    }
    write("eval", step, std::move(result.values));
  }

  void checkpoint(std::int64_t step) {
    checkpointing_->save(ctx_, facts_now(), {{kConfigText, read_.resolved}, {kVocabularyText, model_.vocabulary}});
    for (auto& sink : sinks_) sink->flush();
    write("checkpoint", step, {}, {{"path", folder_ + "/checkpoints/" + io::checkpoint_file(step)}});
  }

  comm::Communicator& world_;
  const ReadRun& read_;
  const RunConfig& run_;
  std::string folder_;
  std::unique_ptr<io::CheckpointStore> store_;
  StudySets sets_;
  std::vector<data::WeightedSet> train_sets_;
  WiredBackend backend_;
  StepGraphs graphs_;
  Context ctx_;
  std::string vocabulary_;  // of a checkpoint, which then gives all weights too
  ImageTextModel model_;
  data::Loader loader_;
  std::int64_t steps_;
  optim::Optimizer optimizer_;
  std::shared_ptr<comm::Communicator> devices_;  // the same ranks, with what lies on their devices
  engine::DistributedBatch global_;
  parallel::WholeSum sync_;
  std::optional<optim::Ema> ema_;
  std::optional<data::Loader> held_out_;
  std::optional<engine::ZeroShotSpec> zero_shot_;
  std::optional<engine::Trainer> trainer_;
  std::optional<engine::Checkpointing> checkpointing_;
  std::vector<std::unique_ptr<io::MetricSink>> sinks_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double seconds_before_ = 0;
  bool resumed_ = false;
  std::optional<double> score_;
  std::int64_t score_step_ = -1;
};

}  // namespace

std::string run_folder(const RunConfig& run) { return (fs::path(run.output) / run.name).string(); }

bool run_training(comm::Communicator& world, const ReadRun& read, const ResumeOptions& resume) {
  check_complete(read.run);
  const StopSignals listening;  // while files are opened, too: the first step is then the last
  TrainingJob job(world, read, resume);
  return job.run();
}

}  // namespace strata::app
