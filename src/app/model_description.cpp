// SPDX-License-Identifier: Apache-2.0
#include "app/model_description.hpp"

#include <nlohmann/json.hpp>

namespace strata::app {

using Json = nlohmann::ordered_json;

void describe(io::SafetensorsMetadata& metadata, const models::HierarchicalVit3dConfig& config) {
  Json json{{"img", config.image},          {"patch", config.patch},      {"dim", config.width},
            {"heads", config.heads},        {"depth", config.depth},      {"max_num_scans", config.max_scans},
            {"slice", config.slice_blocks}, {"scan", config.scan_blocks}, {"study", config.study_blocks}};
  if (config.register_tokens > 0) json["reg_tokens"] = config.register_tokens;
  if (config.channels != 1) json["channels"] = config.channels;
  if (config.standardise_voxels) json["standardise_voxels"] = 1;
  if (config.mlp_ratio != 4) json["mlp_ratio"] = config.mlp_ratio;
  metadata["config"] = json.dump();
  metadata["embedding_dim"] = std::to_string(config.joint_width);
  metadata["head"] = config.head == models::Head::dinotxt ? "dinotxt_dual" : "cls";
}

std::string bert_description(const models::BertConfig& config, const text::WordPieceTokenizer& tokenizer) {
  const Json json{
      {"architectures", {"BertModel"}},
      {"model_type", "bert"},
      {"vocab_size", config.vocabulary},
      {"hidden_size", config.width},
      {"num_hidden_layers", config.depth},
      {"num_attention_heads", config.heads},
      {"intermediate_size", config.hidden},
      {"hidden_act", "gelu"},
      {"hidden_dropout_prob", config.dropout},
      {"attention_probs_dropout_prob", 0.0},  // the tower has been trained without
      {"max_position_embeddings", config.positions},
      {"type_vocab_size", config.token_types},
      {"layer_norm_eps", config.norm_epsilon},
      {"position_embedding_type", "absolute"},
      {"pad_token_id", tokenizer.vocabulary().find(tokenizer.options().pad_token).value_or(0)},
  };
  return json.dump(2) + "\n";
}

std::string tokenizer_description(const text::WordPieceTokenizer& tokenizer, std::int64_t context) {
  const auto& options = tokenizer.options();
  Json json{{"tokenizer_class", "BertTokenizer"}, {"do_lower_case", options.basic.do_lower_case},
            {"strip_accents", nullptr},           {"tokenize_chinese_chars", options.basic.tokenize_chinese_chars},
            {"model_max_length", context},        {"unk_token", options.unk_token},
            {"cls_token", options.cls_token},     {"sep_token", options.sep_token},
            {"pad_token", options.pad_token},     {"mask_token", options.mask_token}};
  if (options.basic.strip_accents) json["strip_accents"] = *options.basic.strip_accents;
  return json.dump(2) + "\n";
}

}  // namespace strata::app
