// SPDX-License-Identifier: Apache-2.0
#include "strata/models/bert_text_encoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "strata/nn/init.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::models {
namespace {

using fixtures::expect_error;
using Weights = std::map<std::string, Tensor>;

class BertTest : public testing::Test {
 protected:
  static BertConfig small() {
    BertConfig config;
    config.name = "small";
    config.vocabulary = 20;
    config.positions = 8;
    config.width = 16;
    config.heads = 2;
    config.depth = 2;
    config.hidden = 24;
    config.joint_width = 6;
    return config;
  }

  BertTextEncoder& made(const BertConfig& config, std::uint64_t seed = 1, DType dtype = DType::f64) {
    models_.push_back(std::make_unique<BertTextEncoder>(device.ctx, dtype, config));
    nn::initialise(device.ctx, *models_.back(), seed);
    return *models_.back();
  }

  std::vector<double> embed(BertTextEncoder& model, const TextBatch& batch, bool training = false) {
    autograd::Tape tape(device.ctx, {.record = false, .training = training, .seed = 5});
    const Tensor out = device.ctx.download(model.forward(tape, batch).value());
    return {out.data<double>(), out.data<double>() + out.numel()};
  }

  static std::vector<double> row(const std::vector<double>& values, std::size_t index, std::size_t width = 6) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(index * width);
    return {begin, begin + static_cast<std::ptrdiff_t>(width)};
  }

  fixtures::ReferenceDevice device;
  std::vector<std::unique_ptr<BertTextEncoder>> models_;
  const std::vector<std::int32_t> first{2, 7, 9, 3}, second{2, 5, 3}, third{2, 11, 4, 6, 8, 3};
};

TextBatch batch_of(const std::vector<std::vector<std::int32_t>>& texts, std::int64_t ordinal = 0) {
  TextBatch batch;
  for (const auto& text : texts) batch.add(text, ordinal++);
  return batch;
}

TEST_F(BertTest, ATextsEmbeddingDoesNotDependOnItsNeighbours) {
  BertTextEncoder& model = made(small());
  for (const bool training : {false, true}) {
    const auto together = embed(model, batch_of({first, second, third}, 40), training);
    EXPECT_EQ(row(together, 0), embed(model, batch_of({first}, 40), training));
    EXPECT_EQ(row(together, 1), embed(model, batch_of({second}, 41), training));
    EXPECT_EQ(row(together, 2), embed(model, batch_of({third}, 42), training));
  }
}

TEST_F(BertTest, DropoutIsDrawnForEachStudyAndPart) {
  BertTextEncoder& model = made(small());
  TextBatch batch = batch_of({first, first, first});
  const auto still = embed(model, batch);
  EXPECT_EQ(row(still, 0), row(still, 1));
  const auto drawn = embed(model, batch, true);
  EXPECT_NE(row(drawn, 0), row(still, 0));
  EXPECT_NE(row(drawn, 0), row(drawn, 1));
  batch.ordinals = {4, 4, 4};
  batch.parts = {0, 1, 0};
  const auto parts = embed(model, batch, true);
  EXPECT_NE(row(parts, 0), row(parts, 1));
  EXPECT_EQ(row(parts, 0), row(parts, 2));
}

TEST_F(BertTest, ALockedTowerDoesNotDrop) {
  BertTextEncoder& model = made(small());
  const TextBatch batch = batch_of({first, second});
  model.lock(0, false);
  EXPECT_FALSE(model.trains());
  EXPECT_EQ(embed(model, batch, true), embed(model, batch));
  model.lock(0, true);
  EXPECT_TRUE(model.trains());
  EXPECT_NE(embed(model, batch, true), embed(model, batch));
}

std::vector<std::string> trained(const BertTextEncoder& model) {
  std::vector<std::string> names;
  for (const auto& parameter : model.trainable_parameters()) names.push_back(parameter->name());
  return names;
}

TEST_F(BertTest, Locks) {
  BertTextEncoder& model = made(small());
  const auto all = model.parameters().size();
  EXPECT_EQ(trained(model).size(), all);
  model.lock(0, false);
  EXPECT_EQ(trained(model), std::vector<std::string>{"text.proj.weight"});
  model.lock(1, false);
  const auto last = trained(model);
  EXPECT_EQ(last.size(), 13u);  // four products with biases, two norms, the projection
  EXPECT_TRUE(std::all_of(last.begin(), last.end() - 1, [](const std::string& name) {
    return name.starts_with("text.transformer.encoder.layer.1.");
  }));
  model.lock(0, true);
  for (const auto& name : trained(model))
    EXPECT_TRUE(name.find("LayerNorm") != name.npos || name == "text.proj.weight");
  EXPECT_EQ(trained(model).size(), 2u * 5 + 1);
  expect_error([&] { model.lock(3, false); }, ErrorKind::usage,
               "[text model] 3 layers are to stay free, the model has 2");
}

TEST_F(BertTest, GradientsReachWhatIsFreeAlone) {
  BertTextEncoder& model = made(small());
  model.lock(1, false);
  autograd::Tape tape(device.ctx, {});
  tape.backward(model.forward(tape, batch_of({first, third})));
  for (const auto& parameter : model.parameters())
    EXPECT_EQ(parameter->grad().defined(), parameter->trainable()) << parameter->name();
}

TEST_F(BertTest, ItsChainIsItsForward) {
  BertTextEncoder& model = made(small());
  const TextBatch batch = batch_of({first, second});
  autograd::Tape tape(device.ctx, {.record = false, .training = false});
  const auto layout = model.layout(device.ctx, batch);
  nn::Tokens tokens{tape.constant(layout->ids), nullptr, nn::Level::scan};
  std::vector<std::string> names;
  for (const auto& stage : model.chain(layout)) {
    tokens = stage.run(tape, tokens);
    names.push_back(stage.name);
    EXPECT_NO_THROW(model.find(stage.name));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"transformer.embeddings", "transformer.encoder.layer.0",
                                             "transformer.encoder.layer.1", "proj"}));
  const Tensor out = device.ctx.download(tokens.rows.value());
  EXPECT_EQ(std::vector<double>(out.data<double>(), out.data<double>() + out.numel()), embed(model, batch));
  // 7 rows; a layer's products are 4·16² + 2·16·24 weights, its scores 4²+3² pairs; two embeddings of 6
  EXPECT_EQ(forward_flops(model.chain(layout)), 2 * (2 * 7 * (4 * 256 + 2 * 384) + 4 * 25 * 16) + 2 * 2 * 16 * 6);
}

TEST_F(BertTest, MixedPrecisionKeepsTablesAndNormsWide) {
  const BertTextEncoder& model = made(small(), 1, DType::bf16);
  for (const auto& parameter : model.parameters()) {
    const bool product =
        parameter->global_shape().ndim() == 2 && parameter->name().find("embeddings") == std::string::npos;
    EXPECT_EQ(parameter->spec().dtype, product ? DType::bf16 : DType::f32) << parameter->name();
  }
}

TEST_F(BertTest, BatchErrors) {
  BertTextEncoder& model = made(small());
  const auto error = [&](const TextBatch& batch, const std::string& sentence) {
    expect_error([&] { embed(model, batch); }, ErrorKind::data, sentence);
  };
  error({}, "[text batch] the batch has no texts: leave empty batches out");
  error(batch_of({first, {}}), "[text batch] text 1 is empty: a tokenizer gives at least [CLS] and [SEP]");
  error(
      batch_of({first, {2, 20, 3}}),
      "[text model] text 1 of the batch has a piece number 20, the model knows 20: is the vocabulary the model's own?");
  error(batch_of({first, std::vector<std::int32_t>(9, 2)}),
        "[text model] text 1 of the batch has 9 pieces, the model has 8 positions: tokenize with a smaller context");
  TextBatch batch = batch_of({first});
  batch.types = {0, 0, 0, 2};
  error(batch, "[text model] text 0 of the batch has a token type number 2, the model knows 2: leave token types out");
  batch.types = {0};
  error(batch, "[text batch] 1 token types for 4 pieces");
  batch.types.clear();
  batch.parts = {0, 1};
  error(batch, "[text batch] 2 parts for 1 texts");
  batch.parts.clear();
  batch.ordinals.clear();
  error(batch, "[text batch] 0 ordinals for 1 texts");
  batch.ids.pop_back();
  error(batch, "[text batch] offsets go from 0 to 4, but there are 3 pieces");
}

TEST_F(BertTest, Configurations) {
  const BertConfig base = bert_variant("bert_base");
  EXPECT_EQ(base.depth, 12);
  EXPECT_EQ(base.hidden, 3072);
  EXPECT_EQ(bert_variant("bert_tiny").heads, 2);
  expect_error([] { bert_variant("bert_bas"); }, ErrorKind::usage,
               "[model] unknown text model 'bert_bas': did you mean 'bert_base'?");
  BertConfig config = small();
  config.positions = 0;
  expect_error([&] { config.validate(); }, ErrorKind::usage, "[small] positions is 0, it must be positive");
  config = small();
  config.dropout = 1;
  expect_error([&] { config.validate(); }, ErrorKind::usage, "[small] dropout 1 must lie in [0, 1)");
}

// Import and export.

Weights renamed(const Weights& weights, const std::string& from, const std::string& to) {
  Weights out;
  for (const auto& [name, tensor] : weights) {
    auto other = name;
    if (const auto at = other.find(from); at != other.npos) other.replace(at, from.size(), to);
    out.emplace(other, tensor);
  }
  return out;
}

Tensor numbers(const Shape& shape) {
  Tensor tensor = host_tensor(DType::f64, shape);
  std::fill_n(tensor.data<double>(), tensor.numel(), 0.5);
  return tensor;
}

TEST_F(BertTest, ExportedWeightsImportUnderAnyPrefix) {
  BertTextEncoder& model = made(small());
  const auto expected = embed(model, batch_of({first, third}));
  for (const std::string prefix : {"", "bert.", "module.bert.", "text.transformer."}) {
    BertTextEncoder& other = made(small(), 2);
    Weights weights = export_bert(device.ctx, model, prefix);
    EXPECT_TRUE(weights.contains(prefix + "encoder.layer.1.attention.self.query.bias"));
    weights.emplace(prefix + "pooler.dense.weight", numbers({16, 16}));
    weights.emplace("cls.predictions.bias", numbers({20}));
    weights.emplace(prefix + "embeddings.position_ids", numbers({1, 8}));
    const BertNames names = import_bert(device.ctx, other, weights);
    EXPECT_EQ(names.prefix, prefix);
    EXPECT_EQ(names.projection, prefix == "text.transformer." ? "text.proj.weight" : "text_projection.weight");
    EXPECT_EQ(names.unused.size(), 3u);
    EXPECT_EQ(embed(other, batch_of({first, third})), expected) << prefix;
  }
}

TEST_F(BertTest, QueryKeyAndValueAreTheFusedRows) {
  BertTextEncoder& model = made(small());
  const Weights weights = export_bert(device.ctx, model, "");
  EXPECT_EQ(weights.size(), 5u + 2 * 16 + 1);
  const Tensor fused = model.layers[0]->attention.qkv.weight->value();
  const char* const parts[] = {"query", "key", "value"};
  for (std::int64_t i = 0; i < 3; ++i) {
    const Tensor& part = weights.at(std::string("encoder.layer.0.attention.self.") + parts[i] + ".weight");
    ASSERT_EQ(part.shape(), (Shape{16, 16}));
    EXPECT_EQ(std::memcmp(part.raw(), fused.data<double>() + i * 256, part.bytes()), 0);
  }
}

TEST_F(BertTest, ImportsOldNamesOfLayerNormsAndLeavesAMissingProjection) {
  BertTextEncoder& model = made(small());
  BertTextEncoder& other = made(small(), 2);
  Weights weights = renamed(renamed(export_bert(device.ctx, model, "bert."), "LayerNorm.weight", "LayerNorm.gamma"),
                            "LayerNorm.bias", "LayerNorm.beta");
  weights.erase("text_projection.weight");
  EXPECT_EQ(import_bert(device.ctx, other, weights).projection, "");
  other.proj.weight->assign(device.ctx, model.proj.weight->value());
  EXPECT_EQ(embed(other, batch_of({first})), embed(model, batch_of({first})));
}

TEST_F(BertTest, ImportErrors) {
  BertTextEncoder& model = made(small());
  const Weights sound = export_bert(device.ctx, model, "bert.");
  const auto error = [&](const Weights& weights, const std::string& sentence) {
    BertTextEncoder& other = made(small(), 2);
    const auto before = embed(other, batch_of({first}));
    expect_error([&] { import_bert(device.ctx, other, weights); }, ErrorKind::data, sentence);
    EXPECT_EQ(embed(other, batch_of({first})), before) << "nothing was changed";
  };
  error({},
        "[text model] there is no tensor '…embeddings.word_embeddings.weight': give a BERT under Hugging Face's names");
  Weights weights = sound;
  weights.erase("bert.encoder.layer.1.attention.self.key.weight");
  error(weights, "[text model] there is no tensor 'bert.encoder.layer.1.attention.self.key.weight'");
  weights = sound;
  weights["bert.encoder.layer.0.output.dense.weight"] = numbers({24, 16});
  error(weights,
        "[text model] 'bert.encoder.layer.0.output.dense.weight' has shape [24, 16], the model wants [16, 24]: is it a "
        "model of this size?");
  weights = sound;
  weights["bert.encoder.layer.2.output.dense.weight"] = numbers({16, 24});
  error(
      weights,
      "[text model] the model has no place for 'bert.encoder.layer.2.output.dense.weight': is it a model of this depth "
      "and kind?");
  weights = sound;
  weights["b.embeddings.word_embeddings.weight"] = numbers({20, 16});
  error(weights, "[text model] there are several text models, 'b.' and 'bert.': give a file with one");
}

TEST_F(BertTest, SizesOfWeights) {
  BertConfig config = small();
  config.depth = 1;
  BertTextEncoder& model = made(config);
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : export_bert(device.ctx, model)) shapes.emplace(name, tensor.shape());
  const BertConfig found = bert_config_of(shapes, 2);
  EXPECT_EQ(found.vocabulary, 20);
  EXPECT_EQ(found.positions, 8);
  EXPECT_EQ(found.width, 16);
  EXPECT_EQ(found.hidden, 24);
  EXPECT_EQ(found.depth, 1);
  EXPECT_EQ(found.heads, 2);
  EXPECT_EQ(found.joint_width, 6);
  shapes.erase("text.transformer.embeddings.position_embeddings.weight");
  expect_error([&] { bert_config_of(shapes); }, ErrorKind::data,
               "[text model] there is no matrix 'text.transformer.embeddings.position_embeddings.weight': give a BERT "
               "under Hugging Face's names");
}

}  // namespace
}  // namespace strata::models
