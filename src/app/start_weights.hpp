// SPDX-License-Identifier: Apache-2.0
//
// What a new model starts from: `model.start` of a run's configuration. Both give notes for people.
#pragma once

#include <string>
#include <vector>

#include "strata/models/bert_text_encoder.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/objectives/image_text.hpp"

namespace strata::app {

// The trunk from a 2-D MAE ViT under timm's names. One of another width or depth: data error.
std::vector<std::string> start_from_mae2d(Context& ctx, models::HlipVisualEncoder& visual, const std::string& path);

// Published names (visual.trunk.…, visual.head.proj.weight, text.…, logit_scale). The file must hold the whole image
// tower, and with `whole` the text tower; that and temperatures are taken where it has them. Anything else in it,
// missing or of another shape: data error that lists it.
std::vector<std::string> start_from_published(Context& ctx, objectives::ImageTextObjective& objective,
                                              models::HlipVisualEncoder& visual, models::BertTextEncoder& text,
                                              const std::string& path, bool whole);

}  // namespace strata::app
