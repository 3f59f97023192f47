// SPDX-License-Identifier: Apache-2.0
#include "app/run_config.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "app/config_file.hpp"
#include "app/run_rules.hpp"
#include "strata/base/error.hpp"
#include "strata/config/compose.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;
using config::Node;
using config::Schema;

constexpr double kLargestLogitScale = 4.6051701859880918;  // ln 100, as it is clamped

Schema<ModelSettings> model_schema() {
  using S = ModelSettings;
  Schema<S> s;
  s.field("variant", &S::variant, {.help = "a published image tower, which gives all sizes; empty: they stand here"});
  s.field("image", &S::image, {.help = "D, H, W of a scan that positions are made for", .unit = "voxels", .least = 1});
  s.field("patch", &S::patch, {.help = "D, H, W of a patch; divides the image", .unit = "voxels", .least = 1});
  s.field("channels", &S::channels, {.help = "of a voxel", .least = 1});
  s.field("width", &S::width, {.help = "of a token", .least = 8});
  s.field("depth", &S::depth, {.help = "blocks", .least = 1});
  s.field("heads", &S::heads, {.help = "of attention; each a multiple of 8 wide, at most 128", .least = 1});
  s.field("mlp_ratio", &S::mlp_ratio, {.help = "inner width of an MLP over the width of a token", .least = 1});
  s.field("max_scans", &S::max_scans,
          {.help = "rows of the table of scan positions; 1: one scan a study; 0: any number, no table", .least = 0});
  s.field("register_tokens", &S::register_tokens, {.help = "prefix tokens beside the class token", .least = 0});
  s.field("joint_width", &S::joint_width, {.help = "of an embedding, of both towers", .least = 1});
  s.choice("head", &S::head, {{"cls", models::Head::cls}, {"dinotxt", models::Head::dinotxt}},
           {.help = "cls: one embedding a study; dinotxt: one for each prefix token"});
  s.field(
      "standardise_voxels", &S::standardise_voxels,
      {.help =
           "each voxel by its own mean and deviation over the training studies: for scans in one pose on one grid"});
  s.field("slice_blocks", &S::slice_blocks, {.help = "blocks that attend within a slice, from 0", .least = 0});
  s.field("scan_blocks", &S::scan_blocks, {.help = "blocks that attend within a scan", .least = 0});
  s.field("study_blocks", &S::study_blocks, {.help = "blocks that attend within a study", .least = 0});
  s.field("drop_path", &S::drop_path,
          {.help = "rate of dropped branches in the last block, rising from 0", .least = 0, .below = 1});
  s.field("patch_dropout", &S::patch_dropout,
          {.help = "share of patch tokens left out in training", .least = 0, .below = 1});
  s.choice(
      "start", &S::start, {{"scratch", Start::scratch}, {"mae2d", Start::mae2d}, {"weights", Start::weights}},
      {.help = "scratch: random; mae2d: from a 2-D MAE ViT (timm names); weights: an image tower, published names"});
  s.field("weights", &S::weights, {.help = ".safetensors file of 'start'"});
  return s;
}

Schema<TextSettings> text_schema() {
  using S = TextSettings;
  Schema<S> s;
  s.field("variant", &S::variant, {.help = "bert_base, bert_medium, bert_small, bert_mini or bert_tiny"});
  s.field("width", &S::width, {.help = "of a token, instead of the variant's", .least = 8});
  s.field("depth", &S::depth, {.help = "layers", .least = 1});
  s.field("heads", &S::heads, {.help = "of attention; null: 64 wide", .least = 1});
  s.field("hidden", &S::hidden, {.help = "inner width of an MLP; null: four times the width", .least = 1});
  s.field("positions", &S::positions, {.help = "rows of the position table: the longest text", .least = 3});
  s.field("weights", &S::weights, {.help = "a Hugging Face folder or .safetensors file; empty: from scratch"});
  s.field("vocabulary", &S::vocabulary, {.help = "vocab.txt or tokenizer.json; empty: the one beside 'weights'"});
  s.field("context", &S::context, {.help = "longest text, the rest is cut", .unit = "tokens", .least = 3});
  s.field("prefix", &S::prefix, {.help = "what each text begins with, blank included"});
  s.field("parts", &S::parts,
          {.help = "report, findings or impression, a text each: as many as the image head has embeddings",
           .fewest = 1,
           .longest = 8});
  s.field("shuffle_sentences", &S::shuffle_sentences, {.help = "in training"});
  s.field("sentence_dropout", &S::sentence_dropout,
          {.help = "share of a part's sentences that training leaves out, one stays", .least = 0, .below = 1});
  s.field("dropout", &S::dropout, {.help = "of hidden states, while the tower trains", .least = 0, .below = 1});
  s.choice("pooling", &S::pooling, {{"cls", models::TextPooling::cls}, {"mean", models::TextPooling::mean}},
           {.help = "what becomes the text's embedding: [CLS], or the mean over the text"});
  s.field("locked", &S::locked, {.help = "the tower stays as it starts; its projection trains"});
  s.field("free_layers", &S::free_layers, {.help = "last layers that train in a locked tower", .least = 0});
  s.field("norms_train", &S::norms_train, {.help = "layer norms train in a locked tower"});
  return s;
}

Schema<ObjectiveSettings> objective_schema() {
  using S = ObjectiveSettings;
  using Kind = objectives::ContrastiveKind;
  Schema<S> s;
  s.choice("kind", &S::kind, {{"clip", Kind::clip}, {"siglip", Kind::siglip}},
           {.help = "softmax over the batch, or a sigmoid for each pair"});
  s.field("logit_scale", &S::logit_scale,
          {.help = "logarithm of the inverse temperature, where it starts; null: ln(1/0.07), siglip: ln 10",
           .least = 0,
           .most = kLargestLogitScale});
  s.field("logit_bias", &S::logit_bias, {.help = "of siglip, where it starts; null: -10"});
  s.field("block_rows", &S::block_rows, {.help = "rows of logits that exist at a time: memory", .least = 1});
  return s;
}

Schema<SetSettings> set_schema() {
  using S = SetSettings;
  Schema<S> s;
  s.field("path", &S::path, {.help = "folder of shards, as strata ingest makes it"});
  s.field("weight", &S::weight,
          {.help = "share of the studies, relative to the other sets; all 0: as many as there are", .least = 0});
  s.field("splits", &S::splits, {.help = "of the set that are taken (train, val, test); none: all"});
  s.field("folds", &S::folds, {.help = "that are taken; none: all", .least = 0});
  s.field("without_folds", &S::without_folds, {.help = "that are left out", .least = 0});
  return s;
}

Schema<DataSettings> data_schema() {
  using S = DataSettings;
  Schema<S> s;
  s.field("root", &S::root, {.help = "folder that the sets' paths start from; empty: the current one"});
  s.list("train", &S::train, set_schema(), {.help = "sets that are trained on"});
  s.list("eval", &S::eval, set_schema(), {.help = "sets of held-out studies"});
  s.field("max_scans", &S::max_scans,
          {.help = "of a study in training, drawn anew each time; 0: all", .unit = "scans", .least = 0});
  s.field("tokens", &S::tokens,
          {.help = "most of a micro-batch, after patch dropout: memory; 0: no limit", .unit = "tokens", .least = 0});
  s.field("multiple_of", &S::multiple_of,
          {.help = "micro-batches of a step are a multiple of it; the number of ranks leaves none idle", .least = 1});
  s.field("threads", &S::threads, {.help = "that read, of each rank", .least = 1, .most = 256});
  s.field("buffer_gib", &S::buffer_gib,
          {.help = "most memory for scans that wait, of each rank; 0: four micro-batches", .unit = "GiB", .least = 0});
  s.field("cache_gib", &S::cache_gib,
          {.help = "scans kept in memory, of each rank; for few ranks and slow disks", .unit = "GiB", .least = 0});
  s.field("shuffled_reports", &S::shuffled_reports,
          {.help = "each study gets the report of another: a control, which must learn nothing"});
  return s;
}

Schema<OptimSettings> optim_schema() {
  using S = OptimSettings;
  using optim::Algorithm;
  using optim::ScheduleKind;
  Schema<S> s;
  s.choice("algorithm", &S::algorithm,
           {{"adamw", Algorithm::adamw},
            {"adam", Algorithm::adam},
            {"sgd", Algorithm::sgd},
            {"lion", Algorithm::lion},
            {"lamb", Algorithm::lamb}},
           {.help = "what makes steps of gradients"});
  s.field("lr", &S::lr, {.help = "peak learning rate", .above = 0, .most = 100});
  s.field("beta1", &S::beta1, {.help = "decay of the first moment", .least = 0, .below = 1});
  s.field("beta2", &S::beta2, {.help = "decay of the second moment", .least = 0, .below = 1});
  s.field("eps", &S::eps, {.help = "added to the root of the second moment", .above = 0});
  s.field("weight_decay", &S::weight_decay,
          {.help = "of matrices; never of biases, norms and temperatures", .least = 0});
  s.field("momentum", &S::momentum, {.help = "of sgd", .least = 0, .below = 1});
  s.field("text_lr_scale", &S::text_lr_scale, {.help = "the text tower's learning rate over the others'", .above = 0});
  s.choice("rounding", &S::rounding,
           {{"nearest", optim::Rounding::nearest}, {"stochastic", optim::Rounding::stochastic}},
           {.help = "of weights to bf16 behind each step; in models of other types it changes nothing"});
  s.field("clip", &S::clip, {.help = "largest norm of the gradient, which is scaled down to it; 0: any", .least = 0});
  s.choice(
      "schedule", &S::schedule,
      {{"constant", ScheduleKind::constant}, {"cosine", ScheduleKind::cosine}, {"cool_down", ScheduleKind::cool_down}},
      {.help = "of the learning rate behind its warm-up"});
  s.field("end_lr", &S::end_lr, {.help = "learning rate at the end, of cosine and cool_down", .least = 0});
  s.field("warm_up", &S::warm_up, {.help = "over which the learning rate rises", .unit = "steps", .least = 0});
  s.field("cool_down", &S::cool_down, {.help = "last ones over which it falls to end_lr", .unit = "steps", .least = 0});
  s.field("ema", &S::ema, {.help = "decay of averaged weights, used in evaluation; 0: none", .least = 0, .below = 1});
  return s;
}

Schema<CommSettings> comm_schema() {
  using S = CommSettings;
  using Transport = comm::DeviceTransport;
  Schema<S> s;
  s.choice("transport", &S::transport,
           {{"auto", Transport::automatic}, {"nccl", Transport::nccl}, {"staged", Transport::staged}},
           {.help = "of device memory between ranks; staged: through host memory; auto: NCCL where it was built"});
  s.field("watchdog_minutes", &S::watchdog_minutes,
          {.help = "after which a call on device memory counts as stuck, and the job ends; 0: never",
           .unit = "minutes",
           .least = 0});
  return s;
}

Schema<TrainSettings> train_schema() {
  using S = TrainSettings;
  Schema<S> s;
  s.field("batch", &S::batch, {.help = "of a step, on all ranks together", .unit = "studies", .least = 1});
  s.field("steps", &S::steps, {.help = "length of the run; 0: 'epochs' says", .unit = "steps", .least = 0});
  s.field("epochs", &S::epochs, {.help = "length of the run in studies of all sets; 0: 'steps' says", .least = 0});
  s.field("log_every", &S::log_every, {.help = "metrics are written", .unit = "steps", .least = 1});
  s.field("eval_every", &S::eval_every,
          {.help = "held-out studies are evaluated; 0: at the end alone", .unit = "steps", .least = 0});
  s.field("checkpoint_every", &S::checkpoint_every,
          {.help = "checkpoints are written; 0: at the end alone", .unit = "steps", .least = 0});
  s.field("checkpoint_minutes", &S::checkpoint_minutes,
          {.help = "also after so long; 0: not", .unit = "minutes", .least = 0});
  s.field("keep", &S::keep, {.help = "last checkpoints that stay, beside the best", .least = 1});
  s.field("best", &S::best,
          {.help = "value whose highest checkpoint stays, of a loss the lowest; empty: eval/auroc with a label set, "
                   "else eval/loss"});
  return s;
}

std::string file_or_run(const std::string& name) {
  std::error_code unknown;
  const bool whole = fs::is_regular_file(name, unknown) || name.find('/') != std::string::npos;
  return whole ? name : "run/" + name;
}

void put_root(const std::string& root, std::vector<SetSettings>& sets) {
  for (auto& set : sets)
    if (!set.path.empty()) set.path = (fs::path(root) / set.path).lexically_normal().string();
}

// What the fields leave to the configuration as a whole.
void fill(RunConfig& run) {
  if (!run.data.root.empty()) {
    put_root(run.data.root, run.data.train);
    put_root(run.data.root, run.data.eval);
    run.data.root.clear();
  }
  if (run.train.best.empty() && !run.data.eval.empty())
    run.train.best = run.zero_shot.empty() ? "eval/loss" : "eval/auroc";
}

}  // namespace

config::Schema<RunConfig> run_schema() {
  using S = RunConfig;
  using autograd::Checkpointing;
  Schema<S> s;
  s.field("name", &S::name, {.help = "of the run; where none is given, the configuration's"});
  s.field("output", &S::output, {.help = "the run's folder is output/name"});
  s.field("seed", &S::seed, {.help = "of every random number"});
  s.field("backend", &S::backend, {.help = "what computes; empty: the best that was built (strata info)"});
  s.field(
      "threads", &S::threads,
      {.help = "that compute, of each rank; 0: as the environment says (OMP_NUM_THREADS)", .least = 0, .most = 1024});
  s.choice("dtype", &S::dtype, {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f64", DType::f64}},
           {.help = "of the arithmetic; bf16: mixed precision over f32 weights"});
  s.choice("checkpointing", &S::checkpointing,
           {{"none", Checkpointing::none}, {"selective", Checkpointing::selective}, {"full", Checkpointing::full}},
           {.help = "activations that are computed again in place of being kept: less memory, more time"});
  s.field("exact", &S::exact,
          {.help = "on a device: the same bits each time; false: attention adds up gradients in any order, which is "
                   "faster, and takes less memory where sequences are long"});
  s.field("graphs", &S::graphs,
          {.help = "on a device that records: steps whose shapes repeat are launched in pieces, not kernel by kernel"});
  s.field("peak_tflops", &S::peak_tflops,
          {.help = "of all ranks together, for the share of it that is reached; 0: not reported",
           .unit = "TFLOP/s",
           .least = 0});
  s.field("start_from", &S::start_from,
          {.help = "a run's folder, a checkpoint or a .safetensors file: the whole model starts with its weights"});
  s.group("model", &S::model, model_schema(), "the image tower");
  s.group("text", &S::text, text_schema(), "the text tower");
  s.group("objective", &S::objective, objective_schema(), "what both towers learn from each other");
  s.group("data", &S::data, data_schema(), "studies");
  s.group("optim", &S::optim, optim_schema(), "the optimizer");
  s.group("train", &S::train, train_schema(), "length and rhythm of the run");
  s.group("comm", &S::comm, comm_schema(), "what ranks with devices exchange");
  s.field("zero_shot", &S::zero_shot,
          {.help = "a label set of configs/eval, scored in evaluations; empty: loss and retrieval alone"});
  for (const RunRule rule : run_rules()) s.check(rule);
  return s;
}

std::string run_help() {
  const auto folders = config_folders();
  std::string text = "Fields, with their defaults; '[]' stands for a number from 0:\n" + run_schema().help();
  text += "\nConfigurations to choose from (model=NAME on the command line, or in 'defaults'):\n";
  for (const char* group : {"run", "model", "text", "objective", "optim"})
    for (const auto& name : config::choices_of(folders, group)) text += fmt::format("  {}/{}\n", group, name);
  return text;
}

ReadRun read_run(const std::string& name, const std::vector<std::string>& overrides) {
  const auto composed = config::compose(config_folders(), file_or_run(name), overrides);
  const std::pair<std::string, Node> own_name{"name", Node::of(fs::path(name).stem().string())};
  const auto schema = run_schema();
  ReadRun read{schema.read(config::merge(Node::map({&own_name, 1}), composed.config)), {}};
  fill(read.run);
  read.resolved = schema.dump(read.run).dump();
  return read;
}

RunConfig parse_run(const std::string& resolved, const std::string& name) {
  return run_schema().read(Node::parse(resolved, name));
}

}  // namespace strata::app
