// SPDX-License-Identifier: Apache-2.0
// strata export: a checkpoint in, weights that open_clip, timm and transformers load out.
#include <fmt/format.h>

#include "app/command.hpp"
#include "app/export_model.hpp"
#include "app/wiring.hpp"
#include "build_info.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

struct ExportArguments {
  std::string checkpoint, form = "open_clip", dtype = "f32";
  bool best = false;
  ExportOptions to;
};

ExportForm form_of(const std::string& name) {
  if (name == "visual") return ExportForm::visual;
  if (name == "text") return ExportForm::text;
  return name == "huggingface" ? ExportForm::hugging_face : ExportForm::open_clip;
}

void export_checkpoint(ExportArguments arguments) {
  arguments.to.form = form_of(arguments.form);
  arguments.to.dtype = arguments.dtype == "bf16" ? DType::bf16 : DType::f32;
  check_export(arguments.to);
  comm::run_world([&](comm::Communicator& world) {
    STRATA_CHECK(world.size() == 1, usage, "export", fmt::format("{} ranks were started", world.size()),
                 "export runs on one: leave mpirun out");
    const WiredBackend wired = wire_backend("reference");  // nothing is computed
    Context ctx = wired.context();
    LoadedModel loaded = load_model(ctx, world, arguments.checkpoint, arguments.best);
    const io::SafetensorsMetadata origin{
        {"step", std::to_string(loaded.step)},
        {"run", loaded.run.name},
        {"strata", fmt::format("{} ({})", build_info::kVersion, build_info::kCommit)},
    };
    const Exported exported = export_model(ctx, loaded.run, loaded.model, arguments.to, origin);
    fmt::print("{} at step {}: {} tensors, {:.1f} M numbers in {} to {}\n", io::printable(loaded.path, 400),
               loaded.step, exported.tensors, static_cast<double>(exported.numbers) * 1e-6, name_of(arguments.to.dtype),
               io::printable(arguments.to.to, 400));
  });
}

}  // namespace

Action add_export(CLI::App& parser) {
  const auto arguments = std::make_shared<ExportArguments>();
  parser
      .add_option("checkpoint,--checkpoint", arguments->checkpoint,
                  "a run's folder (its last checkpoint) or one checkpoint")
      ->required()
      ->type_name("CHECKPOINT");
  parser.add_flag("--best", arguments->best, "the run's checkpoint with the best score");
  parser.add_option("--to", arguments->to.to, "a .safetensors file; for --form huggingface a new folder")
      ->required()
      ->type_name("OUT");
  parser
      .add_option("--form", arguments->form,
                  "open_clip: both towers and temperatures; visual or text: one tower; huggingface: the text tower as "
                  "a folder")
      ->check(CLI::IsMember({"open_clip", "visual", "text", "huggingface"}));
  parser.add_option("--dtype", arguments->dtype, "f32, or rounded to bf16")->check(CLI::IsMember({"f32", "bf16"}));
  return [arguments] { export_checkpoint(*arguments); };
}

}  // namespace strata::app
