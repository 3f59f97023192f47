// SPDX-License-Identifier: Apache-2.0
//
// Language-image models from a configuration: what they start with, what is refused, and that an export gives the model
// back in each of its forms.
#include "app/image_text_model.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "app/export_model.hpp"
#include "app/model_file.hpp"
#include "app/small_file.hpp"
#include "app/text_weights.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/engine/model_state.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_run.hpp"

namespace strata::app {
namespace {

using fixtures::message_of;

class ImageText : public testing::Test {
 protected:
  ImageText() { run_.text.vocabulary = write("vocab.txt", fixtures::kSmallVocabulary); }

  std::string path(const std::string& name) const { return folder_.file(name); }
  std::string write(const std::string& name, const std::string& contents) const {
    fixtures::write_all(path(name), contents);
    return path(name);
  }
  ImageTextModel build(const RunConfig& run) { return build_model(device_.ctx, run, "", true); }
  std::string export_as(ImageTextModel& model, const std::string& name, ExportForm form, DType dtype = DType::f32) {
    const ExportOptions options{.form = form, .dtype = dtype, .to = path(name)};
    check_export(options);
    export_model(device_.ctx, run_, model, options, {{"step", "7"}});
    return options.to;
  }

  // Names below `prefix` whose values differ.
  std::vector<std::string> differences(const ImageTextModel& a, const ImageTextModel& b,
                                       const std::string& prefix = {}) {
    std::vector<std::string> names;
    const auto theirs = engine::model_state(*b.objective);
    for (const auto& entry : engine::model_state(*a.objective)) {
      const Tensor one = device_.ctx.download(entry.value), other = device_.ctx.download(theirs.at(entry.name));
      if (entry.name.starts_with(prefix) && std::memcmp(one.raw(), other.raw(), one.bytes()) != 0)
        names.push_back(entry.name);
    }
    return names;
  }

  std::string refused(const RunConfig& run, ErrorKind kind) {
    std::string message = message_of([&] { build(run); }, kind);
    const std::string folder = folder_.path().string() + "/";
    for (auto at = message.find(folder); at != std::string::npos; at = message.find(folder))
      message.erase(at, folder.size());
    return message;
  }

  const fixtures::ScratchFolder folder_;
  fixtures::ReferenceDevice device_;
  RunConfig run_ = fixtures::small_run();
};

TEST_F(ImageText, StartsBySeedUnderPublishedNames) {
  const auto model = build(run_);
  EXPECT_TRUE(model.notes.empty());
  EXPECT_EQ(model.vocabulary, fixtures::kSmallVocabulary);
  EXPECT_EQ(model.tokenizer->vocabulary().size(), fixtures::kSmallPieces);
  for (const char* name : {"visual.trunk.blocks.1.attn.qkv.weight", "visual.head.proj.weight", "logit_scale",
                           "text.transformer.encoder.layer.1.attention.qkv.weight", "text.proj.weight"})
    EXPECT_EQ(model.objective->parameter(name)->name(), name);
  EXPECT_TRUE(differences(model, build(run_)).empty());
  run_.seed = 6;
  EXPECT_FALSE(differences(model, build(run_)).empty());
  EXPECT_NEAR(device_.ctx.item(model.objective->logit_scale.at(0)->value()), 2.65926, 1e-5);
}

TEST_F(ImageText, LocksTheTextTower) {
  run_.text.locked = true;
  run_.text.free_layers = 1;
  const auto model = build(run_);
  EXPECT_FALSE(model.objective->parameter("text.transformer.encoder.layer.0.mlp.fc1.weight")->trainable());
  EXPECT_FALSE(model.objective->parameter("text.transformer.embeddings.LayerNorm.weight")->trainable());
  EXPECT_TRUE(model.objective->parameter("text.transformer.encoder.layer.1.mlp.fc1.weight")->trainable());
  EXPECT_TRUE(model.objective->parameter("text.proj.weight")->trainable());
  run_.text.norms_train = true;
  EXPECT_TRUE(build(run_).objective->parameter("text.transformer.embeddings.LayerNorm.weight")->trainable());
}

// A checkpoint builds its model from the configuration and the vocabulary alone.
TEST_F(ImageText, NeedsNoFilesWithoutWeights) {
  run_.text.vocabulary = run_.text.weights = run_.model.weights = "/nowhere/at/all.safetensors";
  run_.model.start = Start::weights;
  const auto model = build_model(device_.ctx, run_, fixtures::kSmallVocabulary, false);
  EXPECT_EQ(model.tokenizer->vocabulary().size(), fixtures::kSmallPieces);
  EXPECT_EQ(model.vocabulary, fixtures::kSmallVocabulary);
}

TEST_F(ImageText, StartsFromItsExport) {
  run_.objective.logit_scale = 1.5;
  auto model = build(run_);
  auto again = run_;
  again.seed = 99;
  again.objective.logit_scale = 0.5;
  again.model.start = Start::weights;
  again.model.weights = export_as(model, "whole.safetensors", ExportForm::open_clip);
  const auto whole = build(again);
  EXPECT_TRUE(differences(model, whole).empty());
  EXPECT_EQ(whole.notes.size(), 3U);

  again.model.weights = export_as(model, "visual.safetensors", ExportForm::visual);
  const auto visual = build(again);
  EXPECT_TRUE(differences(model, visual, "visual.").empty());
  EXPECT_FALSE(differences(model, visual, "text.transformer").empty());
  EXPECT_EQ(differences(model, visual, "logit"), std::vector<std::string>{"logit_scale"});

  again.text.weights = export_as(model, "text.safetensors", ExportForm::text);
  EXPECT_TRUE(differences(model, build(again), "text.").empty());

  again.model.start = Start::scratch;
  again.text.weights = export_as(model, "folder", ExportForm::hugging_face);
  again.text.vocabulary.clear();
  const auto text = build(again);
  EXPECT_TRUE(differences(model, text, "text.").empty());
  EXPECT_EQ(text.vocabulary, fixtures::kSmallVocabulary);
}

TEST_F(ImageText, GoesOnFromAWholeModel) {
  run_.objective.logit_scale = 1.5;
  auto model = build(run_);
  auto again = run_;
  again.seed = 99;
  again.text.vocabulary.clear();
  again.start_from = export_as(model, "whole.safetensors", ExportForm::open_clip);
  const auto whole = build(again);
  EXPECT_TRUE(differences(model, whole).empty());
  EXPECT_EQ(whole.vocabulary, fixtures::kSmallVocabulary);

  std::string other = fixtures::kSmallVocabulary;
  other.replace(other.find("normal"), 6, "strange");
  again.text.vocabulary = write("other.txt", other);
  EXPECT_EQ(refused(again, ErrorKind::usage),
            "[vocabulary] 'other.txt' has other pieces than 'whole.safetensors' was trained with: leave "
            "text.vocabulary empty");
  again.text.vocabulary.clear();
  again.start_from = export_as(model, "visual.safetensors", ExportForm::visual);
  EXPECT_EQ(refused(again, ErrorKind::usage),
            "[vocabulary] 'visual.safetensors' holds no vocabulary: name the one it was trained with as "
            "text.vocabulary");
  again.text.vocabulary = run_.text.vocabulary;
  EXPECT_EQ(refused(again, ErrorKind::data),
            "[weights] 'visual.safetensors' has no text tower: start_from wants a whole model; model.start=weights "
            "takes an image tower alone");
  again.start_from = path("nowhere");
  EXPECT_EQ(refused(again, ErrorKind::usage),
            "[checkpoint] there is no 'nowhere': name a run's folder or a checkpoint");
}

TEST_F(ImageText, RoundedExport) {
  auto model = build(run_);
  const io::SafetensorsFile file(export_as(model, "b.safetensors", ExportForm::open_clip, DType::bf16));
  for (const auto& entry : file.entries())
    EXPECT_EQ(entry.dtype, entry.name == "logit_scale" ? DType::f32 : DType::bf16) << entry.name;
  EXPECT_EQ(file.metadata().at("step"), "7");
  run_.model.start = Start::weights;
  run_.model.weights = file.path();
  const auto rounded = build(run_);
  EXPECT_FALSE(differences(model, rounded).empty());
}

// strata embed reads an export, whole or of the image tower, without being told what it is.
TEST_F(ImageText, ExportsDescribeThemselves) {
  run_.model.mlp_ratio = 2;
  run_.model.channels = 3;
  run_.model.register_tokens = 1;
  run_.model.head = models::Head::dinotxt;
  run_.text.parts = {"findings", "impression"};
  auto model = build(run_);
  for (const auto form : {ExportForm::open_clip, ExportForm::visual}) {
    const io::SafetensorsFile file(export_as(model, "m.safetensors", form));
    const auto encoder = load_encoder(device_.ctx, file, {});
    EXPECT_EQ(encoder->trunk.config().mlp_ratio, 2);
    EXPECT_EQ(encoder->embeddings_a_study(), 2);
    const auto theirs = engine::model_state(*model.objective);
    for (const auto& entry : engine::model_state(*encoder))
      EXPECT_EQ(0, std::memcmp(entry.value.raw(), theirs.at(entry.name).raw(), entry.value.bytes())) << entry.name;
    EXPECT_EQ(file.find("logit_scale_1") != nullptr, form == ExportForm::open_clip);
  }
}

TEST_F(ImageText, AHuggingFaceFolderSaysWhatTheTowerIs) {
  auto model = build(run_);
  const std::string folder = export_as(model, "bert", ExportForm::hugging_face);
  const auto config = nlohmann::json::parse(read_small_file("test", folder + "/config.json"));
  EXPECT_EQ(config.at("vocab_size"), fixtures::kSmallPieces);
  EXPECT_EQ(config.at("hidden_size"), 32);
  EXPECT_EQ(config.at("num_attention_heads"), 4);
  EXPECT_EQ(config.at("layer_norm_eps"), 1e-12);
  EXPECT_EQ(read_small_file("test", folder + "/vocab.txt"), fixtures::kSmallVocabulary);
  EXPECT_EQ(nlohmann::json::parse(read_small_file("test", folder + "/tokenizer_config.json")).at("do_lower_case"),
            true);
  EXPECT_EQ(io::SafetensorsFile(folder + "/model.safetensors").metadata().at("format"), "pt");
  EXPECT_NE(io::SafetensorsFile(folder + "/model.safetensors").find("embeddings.word_embeddings.weight"), nullptr);
}

TEST_F(ImageText, ExportsThatCannotBeWritten) {
  const auto message = [&](ExportForm form, const std::string& to, ErrorKind kind) {
    return message_of([&] { check_export({.form = form, .dtype = DType::f32, .to = to}); }, kind);
  };
  EXPECT_EQ(message(ExportForm::visual, "model.pt", ErrorKind::usage),
            "[export] 'model.pt' does not end in .safetensors: name the file so, or --form huggingface for a folder");
  EXPECT_EQ(message(ExportForm::text, "/none/such/x.safetensors", ErrorKind::environment),
            "[export] there is no folder '/none/such': create the folder first");
  EXPECT_EQ(message(ExportForm::hugging_face, folder_.path().string() + "/", ErrorKind::usage),
            "[export] '" + folder_.path().string() + "/' is there already: name a new folder");
}

TEST_F(ImageText, FilesThatDoNotFit) {
  auto model = build(run_);
  auto again = run_;
  again.model.start = Start::weights;
  again.model.weights = export_as(model, "whole.safetensors", ExportForm::open_clip);
  again.model.joint_width = 24;
  EXPECT_NE(
      refused(again, ErrorKind::data).find("'visual.head.proj.weight' is [20, 48] in the file, [24, 48] is wanted"),
      std::string::npos);
  again.model.joint_width = 20;
  again.text.vocabulary = write("more.txt", std::string(fixtures::kSmallVocabulary) + "mass\n");
  EXPECT_EQ(
      refused(again, ErrorKind::data),
      "[text model] 'whole.safetensors' was trained with 23 pieces, the vocabulary has 24: use the vocabulary that "
      "these weights were trained with, or no weights");
  again.model.weights = write("x.pt", "x");
  EXPECT_NE(refused(again, ErrorKind::usage).find("'x.pt' is a PyTorch file: python tools/torch_to_safetensors.py"),
            std::string::npos);

  run_.text.parts = {"findings", "impression"};
  EXPECT_EQ(refused(run_, ErrorKind::usage),
            "[model] the image tower gives 1 embeddings a study, text.parts names 2 texts: name a text for each: "
            "text.parts=[findings, impression] for two");
}

// Names of timm's ViT: the trunk's own, but for what is inflated.
TEST_F(ImageText, StartsFromAMae) {
  const auto model = build(run_);
  const auto write_mae = [&](std::int64_t depth) {
    StateDict state;
    for (const auto& entry : engine::model_state(*model.objective)) {
      const std::string trunk = "visual.trunk.";
      if (!entry.name.starts_with(trunk)) continue;
      const std::string name = entry.name.substr(trunk.size());
      if (name.starts_with("blocks.") || name.starts_with("norm.")) state.add(name, device_.ctx.download(entry.value));
      for (std::int64_t more = 2; more < depth; ++more)
        if (name.starts_with("blocks.1.")) state.add("blocks." + std::to_string(more) + name.substr(8), entry.value);
    }
    const auto ramp = [](const Shape& shape) {
      Tensor tensor = host_tensor(DType::f32, shape);
      for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data<float>()[i] = static_cast<float>(i % 89) / 89.0f;
      return tensor;
    };
    state.add("cls_token", ramp({1, 1, 48}));
    state.add("pos_embed", ramp({1, 5, 48}));
    state.add("patch_embed.proj.weight", ramp({48, 3, 16, 16}));
    state.add("patch_embed.proj.bias", ramp({48}));
    state.add("decoder_embed.weight", ramp({4, 48}));
    io::write_safetensors(path("mae.safetensors"), state);
  };
  write_mae(2);
  auto again = run_;
  again.seed = 99;
  again.model.start = Start::mae2d;
  again.model.weights = path("mae.safetensors");
  const auto started = build(again);
  EXPECT_TRUE(differences(model, started, "visual.trunk.blocks").empty());
  EXPECT_FALSE(differences(model, started, "visual.trunk.patch_embed").empty());
  ASSERT_EQ(started.notes.size(), 2U);
  EXPECT_NE(started.notes[1].find("was not used: 'decoder_embed.weight'"), std::string::npos) << started.notes[1];
  write_mae(3);
  EXPECT_EQ(
      refused(again, ErrorKind::data),
      "[MAE initialisation] 'mae.safetensors' has more than the model's 2 blocks: give a ViT of the model's size: "
      "ViT-Base has 12 blocks of width 768, ViT-Large 24 of 1024");
}

}  // namespace
}  // namespace strata::app
