// SPDX-License-Identifier: Apache-2.0
//
// Hugging Face's names of a BERT's tensors. Ours differ where modules are shared with the image towers: query, key and
// value are one product here.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "strata/base/error.hpp"
#include "strata/models/bert_text_encoder.hpp"

namespace strata::models {
namespace {

constexpr std::string_view kWords = "embeddings.word_embeddings.weight";
constexpr std::string_view kOpenClip = "transformer.";

// Rows [part, part + 1) · rows / parts of a parameter, under the name that stands behind the prefix.
struct Place {
  std::string name;
  nn::ParameterPtr parameter;
  std::int64_t part = 0, parts = 1;

  Shape shape() const {
    const Shape& whole = parameter->spec().shape;
    return whole.with(0, whole[0] / parts);
  }
};

void add_affine(std::vector<Place>& places, const std::string& name, const nn::ParameterPtr& weight,
                const nn::ParameterPtr& bias) {
  places.push_back({name + ".weight", weight});
  places.push_back({name + ".bias", bias});
}

void add_layer(std::vector<Place>& places, const std::string& at, const BertLayer& layer) {
  const char* const parts[] = {"query", "key", "value"};
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::string name = fmt::format("{}.attention.self.{}", at, parts[i]);
    places.push_back({name + ".weight", layer.attention.qkv.weight, i, 3});
    places.push_back({name + ".bias", layer.attention.qkv.bias, i, 3});
  }
  add_affine(places, at + ".attention.output.dense", layer.attention.proj.weight, layer.attention.proj.bias);
  add_affine(places, at + ".attention.output.LayerNorm", layer.attention_norm.weight, layer.attention_norm.bias);
  add_affine(places, at + ".intermediate.dense", layer.mlp.fc1.weight, layer.mlp.fc1.bias);
  add_affine(places, at + ".output.dense", layer.mlp.fc2.weight, layer.mlp.fc2.bias);
  add_affine(places, at + ".output.LayerNorm", layer.norm.weight, layer.norm.bias);
}

// Parts of one parameter follow one another in the order of its rows, other parameters may stand between.
std::vector<Place> tower_places(const BertTextEncoder& model) {
  std::vector<Place> places{{std::string(kWords), model.embeddings.words},
                            {"embeddings.position_embeddings.weight", model.embeddings.positions},
                            {"embeddings.token_type_embeddings.weight", model.embeddings.types}};
  add_affine(places, "embeddings.LayerNorm", model.embeddings.norm.weight, model.embeddings.norm.bias);
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    add_layer(places, fmt::format("encoder.layer.{}", i), *model.layers[i]);
  return places;
}

std::string projection_name(const std::string& prefix) {
  if (!prefix.ends_with(kOpenClip)) return "text_projection.weight";
  return prefix.substr(0, prefix.size() - kOpenClip.size()) + "proj.weight";
}

// Older files name a layer norm's parameters so.
std::string older_name(std::string name) {
  for (const auto& [now, once] :
       {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}})
    if (name.ends_with(now)) return name.replace(name.size() - std::strlen(now), std::string::npos, once);
  return name;
}

template <class Map>
std::string prefix_of(const Map& tensors) {
  std::vector<std::string> prefixes;
  for (const auto& [name, tensor] : tensors)
    if (name.ends_with(kWords) && (name.size() == kWords.size() || name[name.size() - kWords.size() - 1] == '.'))
      prefixes.push_back(name.substr(0, name.size() - kWords.size()));
  STRATA_CHECK(!prefixes.empty(), data, "text model", fmt::format("there is no tensor '…{}'", kWords),
               "give a BERT under Hugging Face's names");
  STRATA_CHECK(prefixes.size() == 1, data, "text model",
               fmt::format("there are several text models, '{}' and '{}'", prefixes[0], prefixes[1]),
               "give a file with one");
  return prefixes.front();
}

class Source {
 public:
  Source(const std::map<std::string, Tensor>& weights, std::string prefix)
      : weights_(weights), prefix_(std::move(prefix)) {}

  const Tensor& take(const std::string& name, const Shape& shape) {
    auto at = weights_.find(name);
    if (at == weights_.end()) at = weights_.find(older_name(name));
    STRATA_CHECK(at != weights_.end(), data, "text model", fmt::format("there is no tensor '{}'", name));
    STRATA_CHECK(at->second.shape() == shape, data, "text model",
                 fmt::format("'{}' has shape {}, the model wants {}", name, at->second.shape().str(), shape.str()),
                 "is it a model of this size?");
    STRATA_CHECK(at->second.is_dense(), internal, "text model", fmt::format("'{}' is a strided view", name));
    used_.insert(at->first);
    return at->second;
  }
  bool has(const std::string& name) const { return weights_.contains(name); }

  // Of the rest, nothing may be a part of the tower: it would be another one.
  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : weights_) {
      if (used_.contains(name)) continue;
      const bool tower = name.starts_with(prefix_ + "embeddings.") || name.starts_with(prefix_ + "encoder.");
      const bool buffer = name.ends_with(".position_ids") || name.ends_with(".token_type_ids");
      STRATA_CHECK(!tower || buffer, data, "text model", fmt::format("the model has no place for '{}'", name),
                   "is it a model of this depth and kind?");
      names.push_back(name);
    }
    return names;
  }

 private:
  const std::map<std::string, Tensor>& weights_;
  std::string prefix_;
  std::set<std::string> used_;
};

Tensor joined(const std::vector<Tensor>& parts, const std::string& name, const Shape& shape) {
  if (parts.size() == 1) return parts.front();
  const Tensor whole = host_tensor(parts.front().dtype(), shape);
  auto* to = static_cast<std::byte*>(whole.raw());
  for (const auto& part : parts) {
    STRATA_CHECK(part.dtype() == whole.dtype(), data, "text model",
                 fmt::format("the parts of '{}' are of different types", name));
    std::memcpy(to, part.raw(), part.bytes());
    to += part.bytes();
  }
  return whole;
}

std::int64_t extent(const std::map<std::string, Shape>& shapes, const std::string& name, int axis) {
  const auto at = shapes.find(name);
  STRATA_CHECK(at != shapes.end() && at->second.ndim() == 2, data, "text model",
               fmt::format("there is no matrix '{}'", name), "give a BERT under Hugging Face's names");
  return at->second[axis];
}

}  // namespace

BertNames import_bert(Context& ctx, BertTextEncoder& model, const std::map<std::string, Tensor>& weights) {
  BertNames names{.prefix = prefix_of(weights), .projection = {}, .unused = {}};
  Source source(weights, names.prefix);
  std::vector<std::pair<nn::ParameterPtr, std::vector<Tensor>>> found;  // all are checked before any is changed
  for (const auto& place : tower_places(model)) {
    auto at = std::ranges::find(found, place.parameter, &decltype(found)::value_type::first);
    if (at == found.end()) at = found.insert(found.end(), {place.parameter, {}});
    at->second.push_back(source.take(names.prefix + place.name, place.shape()));
  }
  if (const auto projection = projection_name(names.prefix); source.has(projection)) {
    names.projection = projection;
    found.push_back({model.proj.weight, {source.take(projection, model.proj.weight->spec().shape)}});
  }
  names.unused = source.unused();
  for (const auto& [parameter, parts] : found)
    parameter->assign(ctx, ctx.upload(joined(parts, parameter->name(), parameter->spec().shape)));
  return names;
}

std::map<std::string, Tensor> export_bert(const Context& ctx, const BertTextEncoder& model, const std::string& prefix) {
  std::map<std::string, Tensor> weights;
  std::map<const nn::Parameter*, Tensor> downloaded;
  auto places = tower_places(model);
  for (auto& place : places) place.name.insert(0, prefix);
  places.push_back({projection_name(prefix), model.proj.weight});
  for (const auto& place : places) {
    STRATA_CHECK(place.parameter->placement().is_whole(), usage, place.parameter->name(), "only a part of it is here",
                 "gather the model before exporting it");
    Tensor& host = downloaded[place.parameter.get()];
    if (!host.defined()) host = ctx.download(place.parameter->master());
    const std::int64_t rows = place.shape()[0];
    weights.emplace(place.name, host.slice(0, place.part * rows, (place.part + 1) * rows));
  }
  return weights;
}

BertConfig bert_config_of(const std::map<std::string, Shape>& shapes, std::int64_t heads) {
  const std::string prefix = prefix_of(shapes), layers = prefix + "encoder.layer.";
  BertConfig config;
  config.vocabulary = extent(shapes, prefix + std::string(kWords), 0);
  config.width = extent(shapes, prefix + std::string(kWords), 1);
  config.positions = extent(shapes, prefix + "embeddings.position_embeddings.weight", 0);
  config.token_types = extent(shapes, prefix + "embeddings.token_type_embeddings.weight", 0);
  config.hidden = extent(shapes, layers + "0.intermediate.dense.weight", 0);
  for (config.depth = 1; shapes.contains(fmt::format("{}{}.intermediate.dense.weight", layers, config.depth));)
    ++config.depth;
  constexpr std::int64_t kHeadWidth = 64;
  config.heads = heads > 0 ? heads : config.width / kHeadWidth;
  if (const auto projection = projection_name(prefix); shapes.contains(projection))
    config.joint_width = extent(shapes, projection, 0);
  config.validate();
  return config;
}

}  // namespace strata::models
