// SPDX-License-Identifier: Apache-2.0
#include "app/start_weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/text_weights.hpp"
#include "app/weights_file.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/base/error.hpp"
#include "strata/engine/model_state.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

void load_visual(Context& ctx, models::HlipVisualEncoder& visual, const std::string& path) {
  std::vector<io::WantedTensor> wanted;
  for (const auto& parameter : visual.parameters())
    wanted.push_back({parameter->name(), {DType::f32, parameter->spec().shape}});
  const io::LoadOptions options{.ignore = {"text.", "logit_"}, .convert = true};
  engine::assign_state(ctx, visual, io::load_wanted(io::SafetensorsFile(path), wanted, options));
}

// Temperatures that the objective has and the file too.
std::vector<std::string> load_temperatures(Context& ctx, objectives::ImageTextObjective& objective,
                                           const WeightsFile& file) {
  std::vector<nn::ParameterPtr> scalars = objective.logit_scale;
  scalars.insert(scalars.end(), objective.logit_bias.begin(), objective.logit_bias.end());
  std::vector<std::string> used;
  for (const auto& parameter : scalars) {
    const auto at = file.tensors.find(parameter->name());
    if (at == file.tensors.end()) continue;
    STRATA_CHECK(at->second.numel() == 1, data, "weights",
                 fmt::format("{}: '{}' has shape {}, a single number is wanted", io::printable(file.path, 400),
                             parameter->name(), at->second.shape().str()));
    parameter->assign(ctx, ctx.upload(at->second.reshape(parameter->spec().shape)));
    used.push_back(parameter->name());
  }
  return used;
}

}  // namespace

std::vector<std::string> start_from_mae2d(Context& ctx, models::HlipVisualEncoder& visual, const std::string& path) {
  const WeightsFile file = read_weights(path);
  const std::string name = io::printable(path, 400);
  const auto& config = visual.trunk.config();
  const std::string beyond = fmt::format("blocks.{}.", config.depth);
  STRATA_CHECK(std::ranges::none_of(file.tensors, [&](const auto& entry) { return entry.first.starts_with(beyond); }),
               data, "MAE initialisation", fmt::format("{} has more than the model's {} blocks", name, config.depth),
               "give a ViT of the model's size: ViT-Base has 12 blocks of width 768, ViT-Large 24 of 1024");
  try {
    const auto unused = models::initialise_from_mae2d(ctx, visual.trunk, file.tensors);
    std::vector<std::string> notes{fmt::format("image tower from the 2-D MAE {}", name)};
    if (auto note = unused_note(path, unused); !note.empty()) notes.push_back(std::move(note));
    return notes;
  } catch (const Error& error) {
    fail(error.kind(), error.subject(), fmt::format("{}: {}", name, error.message()), error.hint(), error.where());
  }
}

std::vector<std::string> start_from_published(Context& ctx, objectives::ImageTextObjective& objective,
                                              models::HlipVisualEncoder& visual, models::BertTextEncoder& text,
                                              const std::string& path, bool whole) {
  const WeightsFile scalars = read_weights(path, "logit_");
  load_visual(ctx, visual, path);
  std::vector<std::string> notes{fmt::format("image tower from {}", io::printable(path, 400))};
  const WeightsFile texts = read_weights(path, "text.");
  std::vector<std::string> unused = texts.left_out;
  STRATA_CHECK(!whole || !texts.tensors.empty(), data, "weights",
               fmt::format("{} has no text tower", io::printable(path, 400)),
               "start_from wants a whole model; model.start=weights takes an image tower alone");
  if (!texts.tensors.empty()) {
    const auto names = assign_text_weights(ctx, text, path, texts.tensors);
    STRATA_CHECK(!names.projection.empty(), data, "weights",
                 fmt::format("{} has a text tower without 'text.proj.weight'", io::printable(path, 400)),
                 "only towers with one linear projection are read");
    unused.insert(unused.end(), names.unused.begin(), names.unused.end());
    notes.push_back(fmt::format("text tower from {}", io::printable(path, 400)));
  }
  const auto used = load_temperatures(ctx, objective, scalars);
  if (!used.empty()) notes.push_back(fmt::format("{} from {}", fmt::join(used, ", "), io::printable(path, 400)));
  for (const auto& [name, tensor] : scalars.tensors)
    if (std::ranges::find(used, name) == used.end()) unused.push_back(name);
  if (auto note = unused_note(path, unused); !note.empty()) notes.push_back(std::move(note));
  return notes;
}

}  // namespace strata::app
