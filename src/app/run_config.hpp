// SPDX-License-Identifier: Apache-2.0
//
// All that a training run may be told, as `strata train` reads it from YAML (configs/run and what that composes) and
// keeps it with the run: what stands in a checkpoint's config.yaml is this, resolved, and builds the same model again.
// The schema gives types, units, ranges and help (strata train --help-config); what must hold between fields is judged
// there too. What only a run on data needs (sets, a vocabulary) is not: a configuration without them can be shown,
// rehearsed and completed from the command line. check_complete judges that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parallel/comm/device_world.hpp"
#include "strata/autograd/tape.hpp"
#include "strata/config/schema.hpp"
#include "strata/data/packing.hpp"
#include "strata/engine/micro_batch.hpp"
#include "strata/models/bert_text_encoder.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/objectives/image_text.hpp"
#include "strata/optim/groups.hpp"
#include "strata/optim/optimizer.hpp"
#include "strata/optim/schedule.hpp"

namespace strata::app {

enum class Start : std::uint8_t {
  scratch,
  mae2d,    // a 2-D MAE ViT (timm names)
  weights,  // tensors under the published names: an export, a published checkpoint
};

// The image tower. `variant` gives all sizes; a size that is named here replaces the variant's. Without a variant:
// image, patch, width, depth, heads and the blocks of each attention level.
struct ModelSettings {
  std::string variant;
  std::optional<std::vector<std::int64_t>> image, patch;  // D, H, W; voxels
  std::optional<std::int64_t> channels, width, depth, heads, mlp_ratio, max_scans, register_tokens, joint_width;
  std::optional<models::Head> head;
  bool standardise_voxels = false;
  std::optional<std::vector<std::int64_t>> slice_blocks, scan_blocks, study_blocks;
  double drop_path = 0, patch_dropout = 0;
  Start start = Start::scratch;
  std::string weights;  // of `start`
};

// The text tower. A size that is named here replaces the variant's; a new width brings heads of 64 and four times as
// much between the products of an MLP, unless these are named too.
struct TextSettings {
  std::string variant = "bert_base";
  std::optional<std::int64_t> width, depth, heads, hidden, positions;
  std::string weights;     // a Hugging Face folder or .safetensors; empty: from scratch
  std::string vocabulary;  // vocab.txt or tokenizer.json; empty: the one beside `weights`
  std::int64_t context = 256;
  std::string prefix;                        // "This MRI study shows: "
  std::vector<std::string> parts{"report"};  // of a report, a text each; as many as the image head has embeddings
  bool shuffle_sentences = true;             // in training
  double sentence_dropout = 0;               // in training
  double dropout = 0.1;
  models::TextPooling pooling = models::TextPooling::cls;
  bool locked = false;           // the tower; the projection trains
  std::int64_t free_layers = 0;  // the last ones, of a locked tower
  bool norms_train = false;      // of a locked tower
};

struct ObjectiveSettings {
  objectives::ContrastiveKind kind = objectives::ContrastiveKind::clip;
  std::optional<double> logit_scale, logit_bias;  // where they start: ln(1/0.07); ln 10 and −10 for siglip
  std::int64_t block_rows = 1024;
};

// Sets of shards. Studies that any of `splits` (empty: all) holds, of the folds.
struct SetSettings {
  std::string path;
  double weight = 0;  // share of the order; all 0: as many as there are studies
  std::vector<std::string> splits;
  std::vector<std::int64_t> folds, without_folds;
};

struct DataSettings {
  std::string root;  // that paths of sets start from; read_run puts it before them, and empties it
  std::vector<SetSettings> train;
  std::vector<SetSettings> eval;  // held-out studies
  std::int64_t max_scans = 0;     // of a study in training; 0: all
  std::int64_t tokens = 0;        // most tokens of a micro-batch, after patch dropout; 0: no limit
  std::int64_t multiple_of = 1;   // micro-batches a step are a multiple of it: of the ranks, and none is idle
  int threads = 1;                // that read
  double buffer_gib = 0, cache_gib = 0;
  bool shuffled_reports = false;  // each study gets another one's: a control, which must learn nothing
};

struct OptimSettings {
  optim::Algorithm algorithm = optim::Algorithm::adamw;
  double lr = 5e-4, beta1 = 0.9, beta2 = 0.95, eps = 1e-6, weight_decay = 0.2, momentum = 0.9;
  double text_lr_scale = 1;
  optim::Rounding rounding = optim::Rounding::nearest;
  double clip = 0;  // largest norm of the gradient; 0: none
  optim::ScheduleKind schedule = optim::ScheduleKind::cosine;
  double end_lr = 0;
  std::int64_t warm_up = 0, cool_down = 0;  // steps
  double ema = 0;                           // decay of averaged weights, used in evaluation; 0: none
};

struct TrainSettings {
  std::int64_t batch = 64;  // studies a step, on all ranks
  std::int64_t steps = 0;   // either of the two
  double epochs = 0;
  std::int64_t log_every = 10, eval_every = 0, checkpoint_every = 0;  // steps; 0: at the end alone
  double checkpoint_minutes = 0;                                      // also after so long; 0: not
  std::int64_t keep = 2;                                              // last checkpoints, beside the best
  // The value whose highest checkpoint stays (of a "loss" the lowest). Empty: read_run chooses eval/auroc where there
  // is a label set, eval/loss where there are held-out studies; still empty: no best.
  std::string best = {};
};

struct CommSettings {
  comm::DeviceTransport transport = comm::DeviceTransport::automatic;  // of what lies on devices
  double watchdog_minutes = 30;  // longest honest call on devices; 0: nobody watches
};

struct RunConfig {
  std::string name = "run";     // read_run takes the configuration's where there is none
  std::string output = "runs";  // the run's folder is output/name
  std::uint64_t seed = 1;
  std::string backend;       // empty: the best there is
  int threads = 0;           // of the backend, of each rank; 0: as the environment says
  DType dtype = DType::f32;  // bf16: mixed precision
  autograd::Checkpointing checkpointing = autograd::Checkpointing::none;
  bool exact = true;       // of a device: gradients of attention have the same bits each time (cuda.hpp)
  bool graphs = false;     // of a device: steps whose shapes repeat are launched in pieces (runtime/step_graphs.hpp)
  double peak_tflops = 0;  // of the whole job, for the share of it that is reached; 0: not reported
  // Where both towers and the temperatures start together: a run's folder, a checkpoint, or a .safetensors file of the
  // whole model (published names). Empty: each as its own part says.
  std::string start_from;
  ModelSettings model;
  TextSettings text;
  ObjectiveSettings objective;
  DataSettings data;
  OptimSettings optim;
  TrainSettings train;
  CommSettings comm;
  std::string zero_shot;  // a label set of configs/eval for evaluations while training; empty: none
};

config::Schema<RunConfig> run_schema();
std::string run_help();  // every field with type, unit, range and default; and the configurations to choose from

// "run/quickstart", "quickstart" (of configs/run) or a file, composed, with overrides, read and judged. All that is
// wrong: one usage error.
struct ReadRun {
  RunConfig run;
  std::string resolved;  // canonical YAML: parse gives the same run
};
ReadRun read_run(const std::string& name, const std::vector<std::string>& overrides);
RunConfig parse_run(const std::string& resolved, const std::string& name);

// A run needs sets with paths, and a vocabulary. Usage error that names what is missing and how to give it.
void check_complete(const RunConfig& run);

// What the parts of a run are to the floors below.
models::HierarchicalVit3dConfig visual_config(const ModelSettings& settings);
models::BertConfig text_config(const TextSettings& settings, std::int64_t vocabulary, std::int64_t joint_width);
std::vector<engine::ReportPart> report_parts(const TextSettings& settings);
objectives::ImageTextOptions objective_options(const ObjectiveSettings& settings);
optim::OptimizerConfig optimizer_config(const OptimSettings& settings, std::uint64_t seed);
std::vector<optim::GroupRule> optimizer_rules(const OptimSettings& settings);  // no decay; the text tower's rate
optim::ScheduleConfig schedule_config(const OptimSettings& settings, std::int64_t steps);
data::PackingRule packing_rule(const RunConfig& run);  // tokens as they are behind patch dropout
// `studies`: of all training sets, what an epoch means. Epochs end with their last whole step; at least one step.
std::int64_t total_steps(const TrainSettings& settings, std::int64_t studies);

}  // namespace strata::app
