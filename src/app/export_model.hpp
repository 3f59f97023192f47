// SPDX-License-Identifier: Apache-2.0
//
// A language-image model as other programs read it (docs/hand_over.md). Each form is one call; weights are the masters,
// in f32 or rounded to bf16 (temperatures stay f32). Costs one more copy of the weights in host memory.
#pragma once

#include <cstdint>
#include <string>

#include "app/image_text_model.hpp"
#include "io/safetensors/safetensors.hpp"

namespace strata::app {

enum class ExportForm : std::uint8_t {
  open_clip,     // both towers and the temperatures, .safetensors
  visual,        // the image tower, .safetensors
  text,          // the text tower, .safetensors
  hugging_face,  // the text tower, a folder
};

struct ExportOptions {
  ExportForm form = ExportForm::open_clip;
  DType dtype = DType::f32;
  std::string to;
};

// Asked before the work: an ending that does not fit the form, a folder that is missing or, for hugging_face, one that
// holds something already.
void check_export(const ExportOptions& options);

struct Exported {
  std::size_t tensors = 0;
  std::int64_t numbers = 0;
};

// `origin` goes into the file's metadata beside what describes the model: "step", "run", "strata".
Exported export_model(const Context& ctx, const RunConfig& run, ImageTextModel& model, const ExportOptions& options,
                      const io::SafetensorsMetadata& origin);

}  // namespace strata::app
