// SPDX-License-Identifier: Apache-2.0
//
// Text towers out of Hugging Face folders and safetensors files, and every file that must be refused.
#include "app/text_weights.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "app/weights_file.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_run.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;
using fixtures::message_of;

constexpr std::int64_t kJoint = 20;

models::BertConfig small_config() { return text_config(fixtures::small_run().text, fixtures::kSmallPieces, kJoint); }

class TextWeights : public testing::Test {
 protected:
  TextWeights() : theirs_(device_.ctx, DType::f32, small_config()), ours_(device_.ctx, DType::f32, small_config()) {
    nn::initialise(device_.ctx, theirs_, 3);
    nn::initialise(device_.ctx, ours_, 4);
  }

  std::string path(const std::string& name) const { return folder_.file(name); }
  void write(const std::string& name, const std::string& contents) const { fixtures::write_all(path(name), contents); }

  // Tensors of their tower whose name `keep` likes.
  template <class Keep>
  void write_tower(const std::string& name, const std::string& prefix, Keep keep, DType dtype = DType::f32) const {
    StateDict state;
    for (const auto& [tensor, value] : models::export_bert(device_.ctx, theirs_, prefix))
      if (keep(tensor)) state.add(tensor, io::convert_floating(io::dense_on_host(value), dtype));
    io::write_safetensors(path(name), state);
  }
  void write_tower(const std::string& name, const std::string& prefix = {}, DType dtype = DType::f32) const {
    write_tower(
        name, prefix, [](const std::string&) { return true; }, dtype);
  }

  bool equal(const std::string& but = "none") {
    for (std::size_t i = 0; i < ours_.parameters().size(); ++i) {
      const auto& name = ours_.parameters()[i]->name();
      const Tensor a = device_.ctx.download(ours_.parameters()[i]->value()),
                   b = device_.ctx.download(theirs_.parameters()[i]->value());
      if (name != but && std::memcmp(a.raw(), b.raw(), a.bytes()) != 0) return false;
    }
    return true;
  }

  std::string refused(const std::string& file, ErrorKind kind = ErrorKind::data) {
    std::string message = message_of([&] { load_text_weights(device_.ctx, ours_, path(file)); }, kind);
    const std::string folder = folder_.path().string() + "/";
    for (auto at = message.find(folder); at != std::string::npos; at = message.find(folder))
      message.erase(at, folder.size());
    return message;
  }

  const fixtures::ScratchFolder folder_;
  fixtures::ReferenceDevice device_;
  models::BertTextEncoder theirs_, ours_;
};

TEST_F(TextWeights, OfAHuggingFaceFolder) {
  const auto is_bert = [](const std::string& name) { return name.starts_with("bert."); };
  write_tower("model.safetensors", "bert.", is_bert);
  write("config.json", R"({"model_type": "bert", "num_attention_heads": 4, "hidden_act": "gelu",
                           "layer_norm_eps": 1e-12, "position_embedding_type": "absolute"})");
  ASSERT_FALSE(equal());
  const auto notes = load_text_weights(device_.ctx, ours_, folder_.path().string());
  EXPECT_TRUE(equal("text.proj.weight"));
  EXPECT_FALSE(equal());
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("', projection from scratch"), std::string::npos) << notes[0];
}

TEST_F(TextWeights, InShards) {
  const auto first = [](const std::string& name) { return name.starts_with("embeddings."); };
  write_tower("a.safetensors", "", first);
  write_tower("b.safetensors", "", [&](const std::string& name) { return !first(name); });
  const auto index = [&](const std::string& second) {
    write("model.safetensors.index.json", R"({"weight_map": {"x": "a.safetensors", "y": ")" + second + R"("}})");
  };
  index("b.safetensors");
  EXPECT_EQ(load_text_weights(device_.ctx, ours_, folder_.path().string()).size(), 1U);
  EXPECT_TRUE(equal());
  index("../b.safetensors");
  EXPECT_EQ(refused("."), "[weights] './model.safetensors.index.json' names no file beside it for 'y'");
  write("model.safetensors.index.json", "[]");
  EXPECT_EQ(refused("."), "[weights] './model.safetensors.index.json' has no weight_map");
}

TEST_F(TextWeights, OfAFileUnderAnyPrefixAndType) {
  write_tower("wrapped.safetensors", "module.text.transformer.");
  load_text_weights(device_.ctx, ours_, path("wrapped.safetensors"));
  EXPECT_TRUE(equal());
  write_tower("half.safetensors", "", DType::bf16);
  load_text_weights(device_.ctx, ours_, path("half.safetensors"));
  EXPECT_FALSE(equal());  // rounded
  EXPECT_NEAR(device_.ctx.download(ours_.proj.weight->value()).data<float>()[0],
              device_.ctx.download(theirs_.proj.weight->value()).data<float>()[0], 1e-2);
}

TEST_F(TextWeights, WhatIsNotUsedIsSaid) {
  StateDict state;
  for (const auto& [name, value] : models::export_bert(device_.ctx, theirs_, "bert."))
    state.add(name, io::dense_on_host(value));
  state.add("cls.predictions.bias", host_tensor(DType::f32, {0}));
  state.add("bert.pooler.dense.bias", host_tensor(DType::f32, {0}));
  io::write_safetensors(path("x.safetensors"), state);
  const auto notes = load_text_weights(device_.ctx, ours_, path("x.safetensors"));
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_NE(notes[1].find("2 tensors of "), std::string::npos) << notes[1];
  EXPECT_NE(notes[1].find("were not used: 'bert.pooler.dense.bias', 'cls.predictions.bias'"), std::string::npos);
}

TEST_F(TextWeights, OfAnotherModel) {
  const auto refuse = [&](models::BertConfig config, const std::string& sentence) {
    const models::BertTextEncoder tower(device_.ctx, DType::f32, config);
    StateDict state;
    for (const auto& [name, value] : models::export_bert(device_.ctx, tower, "")) state.add(name, value);
    io::write_safetensors(path("m.safetensors"), state);
    EXPECT_EQ(refused("m.safetensors"), sentence);
  };
  auto config = small_config();
  config.vocabulary = 31;
  refuse(
      config,
      "[text model] 'm.safetensors' was trained with 31 pieces, the vocabulary has 23: use the vocabulary that these "
      "weights were trained with, or no weights");
  config = small_config();
  config.depth = 1;
  config.positions = 8;
  refuse(config,
         "[text model] 'm.safetensors' holds a BERT of depth 1 (the configuration has 2), positions 8 (the "
         "configuration has 24): set text.width=32 text.depth=1 text.hidden=64 text.positions=8, and text.heads");
  config = models::bert_variant("bert_tiny");
  config.vocabulary = fixtures::kSmallPieces;
  refuse(config,
         "[text model] 'm.safetensors' holds a BERT of width 128 (the configuration has 32), hidden 512 (the "
         "configuration has 64), positions 512 (the configuration has 24): set text.variant=bert_tiny");
  config = small_config();
  config.joint_width = 24;
  refuse(config,
         "[text model] 'm.safetensors': 'text_projection.weight' has shape [24, 32], the model wants [20, 32]: is it a "
         "model of this size?");
}

TEST_F(TextWeights, ThatAreNotThere) {
  EXPECT_EQ(refused(".", ErrorKind::usage),
            "[weights] the folder '.' has no model.safetensors: name a Hugging Face folder or a .safetensors file");
  write("pytorch_model.bin", "x");
  EXPECT_EQ(refused(".", ErrorKind::usage),
            "[weights] the folder '.' has no model.safetensors: python tools/torch_to_safetensors.py turns PyTorch "
            "files into safetensors");
  EXPECT_EQ(refused("pytorch_model.bin", ErrorKind::usage),
            "[weights] 'pytorch_model.bin' is a PyTorch file: python tools/torch_to_safetensors.py turns PyTorch files "
            "into safetensors");
  EXPECT_NE(refused("none.safetensors").find("No such file or directory"), std::string::npos);
  const auto no_query = [](const std::string& name) {
    return name.find("layer.1.attention.self.query.weight") == name.npos;
  };
  write_tower("part.safetensors", "", no_query);
  EXPECT_EQ(refused("part.safetensors"),
            "[text model] 'part.safetensors': there is no tensor 'encoder.layer.1.attention.self.query.weight'");
  EXPECT_FALSE(equal());
  StateDict other;
  other.add("visual.x", host_tensor(DType::f32, {1}));
  io::write_safetensors(path("other.safetensors"), other);
  EXPECT_EQ(refused("other.safetensors"),
            "[text model] 'other.safetensors': there is no tensor '…embeddings.word_embeddings.weight': give a BERT "
            "under Hugging Face's names");
}

TEST_F(TextWeights, DescriptionsOfWhatTheTowerIsNot) {
  write_tower("model.safetensors");
  const auto refuse = [&](const std::string& json, const std::string& sentence) {
    write("config.json", json);
    EXPECT_EQ(refused("."), sentence);
  };
  refuse(R"({"num_attention_heads": 2})",
         "[text model] './config.json' has 2 attention heads, the configuration 4: set text.heads=2");
  refuse(R"({"hidden_act": "relu"})",
         "[text model] './config.json' has hidden_act '\"relu\"', not gelu: only BERT with exact GELU and learned "
         "positions is read");
  refuse(R"({"layer_norm_eps": 1e-5})",
         "[text model] './config.json' has layer_norm_eps 1e-05, the tower has 1e-12: only BERT with exact GELU and "
         "learned positions is read");
  refuse("7", "[text model] './config.json' is not a JSON object");
}

class VocabularyOf : public TextWeights {
 protected:
  static TextSettings settings(const std::string& weights, const std::string& vocabulary) {
    TextSettings text;
    text.weights = weights;
    text.vocabulary = vocabulary;
    return text;
  }
};

TEST_F(VocabularyOf, TheFileItself) {
  write("words.txt", "a\nb\n");
  EXPECT_EQ(read_vocabulary(settings("", path("words.txt"))).contents, "a\nb\n");
  EXPECT_EQ(read_vocabulary(settings("", path("words.txt"))).name, path("words.txt"));
}

TEST_F(VocabularyOf, WhatStandsBesideTheWeights) {
  write("vocab.txt", "a\n");
  EXPECT_EQ(read_vocabulary(settings(folder_.path().string(), "")).contents, "a\n");
  EXPECT_EQ(read_vocabulary(settings(path("model.safetensors"), "")).contents, "a\n");
  EXPECT_EQ(read_vocabulary(settings("", folder_.path().string())).contents, "a\n");
  write("tokenizer.json", "{}");  // says more
  EXPECT_EQ(read_vocabulary(settings(folder_.path().string(), "")).contents, "{}");
}

TEST_F(VocabularyOf, Nothing) {
  const auto message = [&](const TextSettings& text, ErrorKind kind) {
    return message_of([&] { read_vocabulary(text); }, kind);
  };
  EXPECT_EQ(message(settings("", ""), ErrorKind::usage),
            "[vocabulary] text.vocabulary is not set: name a vocab.txt or tokenizer.json; strata vocab REPORTS --to "
            "vocab.txt makes one");
  EXPECT_EQ(message(settings(folder_.path().string(), ""), ErrorKind::usage),
            "[vocabulary] there is neither a tokenizer.json nor a vocab.txt in '" + folder_.path().string() +
                "': name the vocabulary that these weights were trained with as text.vocabulary");
  EXPECT_NE(message(settings("", path("none.txt")), ErrorKind::data).find("No such file or directory"),
            std::string::npos);
}

// A cased model's vocab.txt says nothing of it; lower-casing its texts would be silently wrong.
TEST_F(VocabularyOf, ACasedModel) {
  write("vocab.txt", "a\n");
  write("tokenizer_config.json", R"({"do_lower_case": true, "strip_accents": null})");
  EXPECT_EQ(read_vocabulary(settings("", path("vocab.txt"))).contents, "a\n");
  write("tokenizer_config.json", R"({"do_lower_case": false})");
  const auto message = message_of([&] { read_vocabulary(settings("", path("vocab.txt"))); }, ErrorKind::data);
  EXPECT_NE(message.find("has do_lower_case false, which a vocab.txt alone does not say: name a tokenizer.json"),
            std::string::npos)
      << message;
  write("tokenizer.json", "{}");
  EXPECT_EQ(read_vocabulary(settings("", path("tokenizer.json"))).contents, "{}");
}

}  // namespace
}  // namespace strata::app
