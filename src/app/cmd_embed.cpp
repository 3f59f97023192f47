// SPDX-License-Identifier: Apache-2.0
// strata embed: a model, and volumes or sets of shards in; one embedding (or a few) a study out.
#include <fmt/format.h>

#include "app/command.hpp"
#include "app/embed_set.hpp"
#include "app/embed_volume.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

struct EmbedArguments {
  EmbedVolumeOptions volume;
  EmbedSetOptions set;
  double full_scale = 0;
};

// Both forms know the model, what to write and what to compute on; the rest belongs to one of them.
void add_shared(CLI::App& parser, EmbedVolumeOptions& o) {
  parser
      .add_option("model", o.model,
                  "a run's folder (its last checkpoint), a checkpoint, or weights with published names "
                  "(visual.trunk.…), .safetensors")
      ->required()
      ->type_name("MODEL");
  parser.add_option("--to", o.to, "where to write: .npy or .safetensors for a volume, .h5 for sets")
      ->required()
      ->type_name("OUT");
  parser.add_option("--variant", o.file.variant, "the model's published name; not needed if the file describes itself")
      ->type_name("NAME");
  parser
      .add_option("--ignore", o.file.ignore, "prefixes of tensors in MODEL that are not the encoder's, such as text.")
      ->type_name("PREFIX");
  parser.add_flag("--convert", o.file.convert, "accept weights in F16, BF16 or F64 (computed in f32)");
  parser.add_flag("--features", o.features, "write the projection's output, not scaled to unit length");
  parser.add_option("--backend", o.backend, "which backend computes (strata info lists them)")->type_name("NAME");
  parser.add_option("--threads", o.threads, "threads of the cpu backend; 0: as the environment says")
      ->check(CLI::Range(0, 4096))
      ->type_name("N");
}

std::vector<CLI::Option*> add_volume_options(CLI::App& parser, EmbedArguments& arguments) {
  EmbedVolumeOptions& o = arguments.volume;
  CLI::Option* scale = parser
                           .add_option("--full-scale", arguments.full_scale,
                                       "voxel value that stands for 1 (255 for u8, 1 for floating values)")
                           ->check(CLI::PositiveNumber)
                           ->type_name("VALUE");
  return {parser
              .add_option("volume", o.volume,
                          "one study [N, 1, D, H, W] or several [B, N, 1, D, H, W], .npy or .safetensors")
              ->type_name("VOLUME"),
          scale, parser.add_option("--tensor", o.tensor, "which tensor of a .safetensors VOLUME")->type_name("NAME"),
          parser.add_flag("--raw", o.intensity.raw, "voxels are normalised already")->excludes(scale)};
}

std::vector<CLI::Option*> add_set_options(CLI::App& parser, EmbedSetOptions& o) {
  return {
      parser.add_option("--data", o.sets, "sets of shards instead of a VOLUME, on all ranks: FOLDER or FOLDER:SPLIT")
          ->type_name("SET"),
      parser.add_flag("--best", o.best, "the run's checkpoint with the best score"),
      parser.add_flag("--texts", o.texts, "embeddings of the reports too; studies without one are left out"),
      parser.add_option("--tokens", o.tokens, "most tokens that are computed at a time")
          ->check(CLI::PositiveNumber)
          ->type_name("N")};
}

void expect_none(const std::vector<CLI::Option*>& options, const char* where) {
  for (const auto* option : options)
    STRATA_CHECK(option->count() == 0, usage, "arguments", fmt::format("{} {}", option->get_name(), where),
                 "strata embed --help lists the options of both forms");
}

void run(EmbedArguments arguments, const std::vector<CLI::Option*>& of_volume,
         const std::vector<CLI::Option*>& of_set) {
  EmbedVolumeOptions& volume = arguments.volume;
  if (arguments.set.sets.empty()) {
    STRATA_CHECK(!volume.volume.empty(), usage, "arguments", "there is neither a VOLUME nor --data SET",
                 "strata embed MODEL VOLUME --to OUT.npy, or strata embed MODEL --data SET --to OUT.h5");
    expect_none(of_set, "belongs to --data");
    if (arguments.full_scale > 0) volume.intensity.full_scale = arguments.full_scale;
    return embed_volume(volume);
  }
  expect_none(of_volume, "has no meaning with --data");
  arguments.set.model = volume.model;
  arguments.set.to = volume.to;
  arguments.set.backend = volume.backend;
  arguments.set.file = volume.file;
  arguments.set.threads = volume.threads;
  arguments.set.features = volume.features;
  embed_sets(arguments.set);
}

}  // namespace

Action add_embed(CLI::App& parser) {
  const auto arguments = std::make_shared<EmbedArguments>();
  add_shared(parser, arguments->volume);
  const auto of_volume = add_volume_options(parser, *arguments);
  const auto of_set = add_set_options(parser, arguments->set);
  return [arguments, of_volume, of_set] { run(*arguments, of_volume, of_set); };
}

}  // namespace strata::app
