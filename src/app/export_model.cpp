// SPDX-License-Identifier: Apache-2.0
#include "app/export_model.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "app/model_description.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;

std::string shown(const std::string& path) { return io::printable(path, 400); }

fs::path folder_of(const std::string& path) {
  fs::path at = fs::path(path).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();
  const fs::path above = at.parent_path();
  return above.empty() ? fs::path(".") : above;
}

class Collector {
 public:
  Collector(const Context& ctx, DType dtype) : ctx_(ctx), dtype_(dtype) {}

  void add_visual(const models::VisualEncoder& visual) {
    for (const auto& parameter : visual.parameters())
      add(parameter->name(), ctx_.download(parameter->master()), dtype_);
  }
  void add_text(const models::TextEncoder& text, const std::string& prefix) {
    const auto& tower = dynamic_cast<const models::BertTextEncoder&>(text);
    for (const auto& [name, tensor] : models::export_bert(ctx_, tower, prefix)) add(name, tensor, dtype_);
  }
  void add_temperatures(const objectives::ImageTextObjective& objective) {
    for (const auto* scalars : {&objective.logit_scale, &objective.logit_bias})
      for (const auto& scalar : *scalars) add(scalar->name(), ctx_.download(scalar->master()), DType::f32);
  }
  Exported write(const std::string& path, io::SafetensorsMetadata metadata) const {
    metadata["format"] = "pt";  // what transformers wants to see
    io::write_safetensors(path, state_, metadata);
    return {state_.size(), numbers_};
  }

 private:
  void add(const std::string& name, const Tensor& tensor, DType dtype) {
    state_.add(name, io::convert_floating(io::dense_on_host(tensor), dtype));
    numbers_ += tensor.numel();
  }

  const Context& ctx_;
  DType dtype_;
  StateDict state_;
  std::int64_t numbers_ = 0;
};

void write_text(const fs::path& path, std::string_view contents) {
  io::OutputFile file("export", path.string());
  file.write(contents);
  file.commit();
}

bool is_json(const std::string& contents) {
  const auto at = contents.find_first_not_of(" \t\r\n");
  return at != std::string::npos && contents[at] == '{';
}

// Written beside its place and renamed: there whole or not at all.
Exported export_folder(const Context& ctx, const RunConfig& run, ImageTextModel& model, const ExportOptions& options,
                       const io::SafetensorsMetadata& origin) {
  const auto& text = dynamic_cast<const models::BertTextEncoder&>(model.objective->text());
  const fs::path folder = folder_of(options.to) / fs::path(options.to).lexically_normal().filename();
  const fs::path temporary = fs::path(folder).concat(".partial");
  fs::remove_all(temporary);
  fs::create_directory(temporary);
  Collector collector(ctx, options.dtype);
  collector.add_text(text, "");
  const Exported exported = collector.write((temporary / "model.safetensors").string(), origin);
  write_text(temporary / "config.json", bert_description(text.config(), *model.tokenizer));
  write_text(temporary / "vocab.txt", model.tokenizer->vocabulary().lines());
  write_text(temporary / "tokenizer_config.json", tokenizer_description(*model.tokenizer, run.text.context));
  if (is_json(model.vocabulary)) write_text(temporary / "tokenizer.json", model.vocabulary);
  fs::rename(temporary, folder);
  return exported;
}

}  // namespace

void check_export(const ExportOptions& options) {
  std::error_code unknown;
  const fs::path above = folder_of(options.to);
  STRATA_CHECK(fs::is_directory(above, unknown), environment, "export",
               fmt::format("there is no folder {}", shown(above.string())), "create the folder first");
  if (options.form != ExportForm::hugging_face) {
    STRATA_CHECK(options.to.ends_with(".safetensors"), usage, "export",
                 fmt::format("{} does not end in .safetensors", shown(options.to)),
                 "name the file so, or --form huggingface for a folder");
    return;
  }
  STRATA_CHECK(!fs::exists(options.to, unknown) || fs::is_empty(options.to, unknown), usage, "export",
               fmt::format("{} is there already", shown(options.to)), "name a new folder");
}

Exported export_model(const Context& ctx, const RunConfig& run, ImageTextModel& model, const ExportOptions& options,
                      const io::SafetensorsMetadata& origin) {
  try {
    if (options.form == ExportForm::hugging_face) return export_folder(ctx, run, model, options, origin);
  } catch (const fs::filesystem_error& error) {
    fail(ErrorKind::environment, "export", error.what());
  }
  const auto& objective = *model.objective;
  Collector collector(ctx, options.dtype);
  io::SafetensorsMetadata metadata = origin;
  if (options.form != ExportForm::text) {
    const auto& visual = dynamic_cast<const models::HlipVisualEncoder&>(model.objective->visual());
    collector.add_visual(visual);
    describe(metadata, visual.trunk.config());
  }
  if (options.form != ExportForm::visual) {
    const auto& text = dynamic_cast<const models::BertTextEncoder&>(model.objective->text());
    collector.add_text(text, "text.transformer.");
    metadata["vocabulary"] = model.vocabulary;
    metadata["text_config"] = bert_description(text.config(), *model.tokenizer);
  }
  if (options.form == ExportForm::open_clip) collector.add_temperatures(objective);
  return collector.write(options.to, std::move(metadata));
}

}  // namespace strata::app
