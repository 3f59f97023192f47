// SPDX-License-Identifier: Apache-2.0
//
// BERT (Devlin et al. 2019) as the text tower of language-image training: the encoder of Hugging Face's BertModel, the
// last hidden state of [CLS] (or the mean over a text), a linear map without bias to the joint width. Post-norm layers:
// h = LN(x + Drop(Attn(x))), y = LN(h + Drop(MLP(h))), exact GELU. The type it is made with is its arithmetic
// (strata/nn/layers.hpp); in mixed precision the embedding tables are f32 and so are the rows between layers.
//
// Dropout works on hidden states (embeddings and both branches of a layer), in training, while any part of the tower
// trains. Dropout of attention probabilities, 0.1 in the published configuration, is not done.
#pragma once

#include <map>

#include "strata/models/text_encoder.hpp"

namespace strata::models {

enum class TextPooling : std::uint8_t { cls, mean };

struct BertConfig {
  std::string name = "custom";
  std::int64_t vocabulary = 30522, positions = 512, token_types = 2;
  std::int64_t width = 768, depth = 12, heads = 12, hidden = 3072;
  std::int64_t joint_width = 512;
  TextPooling pooling = TextPooling::cls;
  double norm_epsilon = 1e-12;
  double dropout = 0.1;

  void validate() const;  // usage error naming the field
};

// bert_base, and the smaller ones of Turc et al. 2019: bert_medium, bert_small, bert_mini, bert_tiny. Unknown: usage
// error with the nearest name.
BertConfig bert_variant(const std::string& name);
std::vector<std::string> bert_variants();

class BertEmbeddings final : public nn::Module {
 public:
  BertEmbeddings(const Context& ctx, DType dtype, const BertConfig& config);
  // ids i32 [T] -> [T, C] in the accumulation type; `rate` of dropout.
  Variable forward(Tape& tape, const Variable& ids, const TextLayout& layout, double rate);

  nn::ParameterPtr words, positions, types;  // [V, C], [positions, C], [types, C]
  nn::LayerNorm norm;
};

class BertLayer final : public nn::Module {
 public:
  BertLayer(const Context& ctx, DType dtype, const BertConfig& config, std::int64_t index);
  // x [T, C] -> [T, C], both in the accumulation type; `rate` of dropout.
  Variable forward(Tape& tape, const Variable& x, const nn::Sequences& sequences, double rate);

  nn::Attention attention;
  nn::LayerNorm attention_norm;
  nn::Mlp mlp;
  nn::LayerNorm norm;

 private:
  DType dtype_;
  std::uint32_t index_;
};

class BertTextEncoder final : public TextEncoder {
 public:
  BertTextEncoder(const Context& ctx, DType dtype, const BertConfig& config);

  TextLayoutPtr layout(const Context& ctx, const TextBatch& batch) const override;
  std::vector<Stage> chain(const TextLayoutPtr& layout) override;
  std::int64_t embedding_width() const override { return config_.joint_width; }
  const BertConfig& config() const { return config_; }

  // The last `free_layers` layers train, the embeddings and the layers before them do not (all of the tower for 0);
  // with `norms_train` their layer norms do. The projection trains always. More layers than there are: usage error.
  void lock(std::int64_t free_layers, bool norms_train);
  bool trains() const;  // some parameter of embeddings or layers

  BertEmbeddings embeddings;
  std::vector<std::unique_ptr<BertLayer>> layers;
  nn::Linear proj;

 private:
  double rate(const Tape& tape) const { return tape.training() && trains() ? config_.dropout : 0; }
  Variable layer(Tape& tape, const Variable& x, const TextLayoutPtr& layout, std::size_t index);
  Variable head(Tape& tape, const Variable& x, const nn::Segments& texts);

  BertConfig config_;
  std::vector<nn::ParameterPtr> tower_;
};

// What of a checkpoint was found where. Names count as a tower's from `prefix` on.
struct BertNames {
  std::string prefix;      // what stands before "embeddings.word_embeddings.weight": "bert.", "text.transformer.", ""
  std::string projection;  // the projection's tensor; empty: there is none, it was left as it was
  std::vector<std::string> unused;  // poolers, heads, other models
};

// Sets the tower from host tensors under Hugging Face's names, whatever their prefix. query, key and value become the
// fused qkv; a layer norm's `gamma` and `beta` of older files are its weight and bias. The projection is read from
// <prefix>…proj.weight for an open_clip tower ("text.transformer." has "text.proj.weight"), else from
// text_projection.weight. No or several towers, a tensor that is missing, of another shape, or of a layer that the
// model does not have: data error naming it.
BertNames import_bert(Context& ctx, BertTextEncoder& model, const std::map<std::string, Tensor>& weights);

// The tower as such tensors on the host, in its masters' type; importing them gives the same tower. Parameters that are
// split over ranks: usage error.
std::map<std::string, Tensor> export_bert(const Context& ctx, const BertTextEncoder& model,
                                          const std::string& prefix = "text.transformer.");

// The sizes that tensors with Hugging Face's names have. The number of heads is not among them: width / 64, as all
// published BERTs have it, unless given.
BertConfig bert_config_of(const std::map<std::string, Shape>& shapes, std::int64_t heads = 0);

}  // namespace strata::models
