// SPDX-License-Identifier: Apache-2.0
#include "app/run_rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

// Of whatever throws usage errors: what was wrong as a sentence.
template <class F>
std::string wrong_with(const char* part, const F& f) {
  try {
    f();
    return {};
  } catch (const Error& error) {
    return fmt::format("{}: {}{}", part, error.message(),
                       error.hint().empty() ? std::string() : fmt::format(" ({})", error.hint()));
  }
}

std::string wrong_heads(const char* part, std::int64_t width, std::int64_t heads) {
  const bool right = width % heads == 0 && width / heads % 8 == 0 && width / heads <= 128;
  if (right) return {};
  return fmt::format("{}.width {} over {}.heads {}: each head must be a multiple of 8 wide, at most 128{}", part, width,
                     part, heads, width % 64 == 0 ? fmt::format("; {} heads are 64 wide", width / 64) : std::string());
}

bool sound(const ModelSettings& settings) {
  return wrong_with("", [&] { visual_config(settings); }).empty();
}

std::string plain_name(const RunConfig& run) {
  const bool letters = std::ranges::all_of(run.name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '+' || c == '=';
  });
  if (!run.name.empty() && letters && run.name.front() != '.') return {};
  return fmt::format(
      "name {} is to name a folder: letters, digits, - _ . + =, and no dot in front; output={} says where",
      io::printable(run.name), io::printable(run.output, 200));
}

std::string image_sizes(const RunConfig& run) {
  return wrong_with("model", [&] { visual_config(run.model); });
}

std::string image_heads(const RunConfig& run) {
  if (!sound(run.model)) return {};
  const auto config = visual_config(run.model);
  return wrong_heads("model", config.width, config.heads);
}

std::string image_start(const RunConfig& run) {
  if (run.model.start == Start::scratch && !run.model.weights.empty())
    return "model.weights are named, but model.start is scratch: set model.start=weights or model.start=mae2d";
  return {};
}

std::string one_start(const RunConfig& run) {
  if (run.start_from.empty()) return {};
  if (run.model.start != Start::scratch)
    return "start_from gives the image tower's weights, and so does model.start: set model.start=scratch or "
           "start_from=";
  if (!run.text.weights.empty())
    return "start_from gives the text tower's weights, and so does text.weights: empty one of them (text.weights=)";
  return {};
}

std::string scans_of_a_study(const RunConfig& run) {
  if (!sound(run.model)) return {};
  const std::int64_t rows = visual_config(run.model).max_scans, drawn = run.data.max_scans;
  if (rows == 1 && drawn != 1)
    return fmt::format(
        "the model takes one scan a study, data.max_scans is {}: set data.max_scans=1, or choose a "
        "multi-scan model",
        drawn);
  if (rows > 1 && drawn > rows)
    return fmt::format(
        "data.max_scans is {}, but the model has positions for {} scans: draw fewer, or set "
        "model.max_scans (0: no table)",
        drawn, rows);
  return {};
}

std::string text_sizes(const RunConfig& run) {
  return wrong_with("text", [&] { text_config(run.text, 30522, 512).validate(); });
}

std::string text_heads(const RunConfig& run) {
  if (!text_sizes(run).empty()) return {};
  const auto config = text_config(run.text, 30522, 512);
  if (const auto wrong = wrong_heads("text", config.width, config.heads); !wrong.empty()) return wrong;
  if (run.text.context > config.positions)
    return fmt::format("text.context {} is longer than the tower's {} positions: at most text.context={}",
                       run.text.context, config.positions, config.positions);
  if (run.text.free_layers > config.depth)
    return fmt::format("text.free_layers is {}, of a tower with {} layers", run.text.free_layers, config.depth);
  return {};
}

std::string text_locks(const RunConfig& run) {
  if (run.text.locked) return {};
  if (run.text.free_layers > 0) return "text.free_layers is for a locked tower: set text.locked=true, or it to 0";
  if (run.text.norms_train) return "text.norms_train is for a locked tower: set text.locked=true, or it to false";
  return {};
}

std::string text_parts(const RunConfig& run) {
  if (const auto wrong = wrong_with("text", [&] { report_parts(run.text); }); !wrong.empty()) return wrong;
  if (!sound(run.model)) return {};
  const auto config = visual_config(run.model);
  const auto embeddings = config.head == models::Head::dinotxt ? 1 + config.register_tokens : 1;
  const auto texts = static_cast<std::int64_t>(run.text.parts.size());
  if (embeddings == texts) return {};
  return fmt::format(
      "the image head gives {} embedding{} a study, text.parts names {} ({}): each embedding has a text of its own{}",
      embeddings, embeddings == 1 ? "" : "s", texts, fmt::join(run.text.parts, ", "),
      embeddings == 2   ? "; text.parts=[findings, impression] are two"
      : embeddings == 1 ? "; for two, take a model with the dinotxt head and a register token"
                        : "");
}

std::string objective_fields(const RunConfig& run) {
  const bool clip = run.objective.kind == objectives::ContrastiveKind::clip;
  if (clip && run.objective.logit_bias)
    return "objective.logit_bias is siglip's: set objective.logit_bias=null, or objective.kind=siglip";
  if (clip && run.train.batch < 2)
    return "train.batch is 1, but clip tells the studies of a step apart: at least train.batch=2";
  return {};
}

std::string set_weights(const RunConfig& run) {
  const auto with = std::ranges::count_if(run.data.train, [](const SetSettings& set) { return set.weight > 0; });
  if (with == 0 || static_cast<std::size_t>(with) == run.data.train.size()) return {};
  return fmt::format("{} of {} sets in data.train have a weight: give one to all, or to none", with,
                     run.data.train.size());
}

std::string length(const RunConfig& run) {
  if (run.train.steps > 0 && run.train.epochs > 0)
    return fmt::format("train.steps is {} and train.epochs {}: one says how long, set the other to 0", run.train.steps,
                       run.train.epochs);
  if (run.train.steps == 0 && run.train.epochs == 0)
    return "neither train.steps nor train.epochs says how long: give one of them";
  return {};
}

std::string rates(const RunConfig& run) {
  const auto& optim = run.optim;
  if (optim.end_lr > optim.lr)
    return fmt::format("optim.end_lr {} is above optim.lr {}, which is the peak", optim.end_lr, optim.lr);
  const bool cools = optim.schedule == optim::ScheduleKind::cool_down;
  if (cools != (optim.cool_down > 0))
    return cools ? "optim.schedule is cool_down, but optim.cool_down is 0: say over how many steps"
                 : "optim.cool_down is for optim.schedule=cool_down: set that, or it to 0";
  if (run.train.steps > 0 && optim.warm_up + optim.cool_down > run.train.steps)
    return fmt::format("optim.warm_up {} and optim.cool_down {} are longer than train.steps {}: shorten them",
                       optim.warm_up, optim.cool_down, run.train.steps);
  return {};
}

std::string held_out(const RunConfig& run) {
  if (!run.data.eval.empty()) return {};
  if (run.train.eval_every > 0)
    return fmt::format(
        "train.eval_every is {}, but no set of held-out studies is named: give data.eval=[{{path: "
        "FOLDER, splits: [val]}}], or set train.eval_every=0",
        run.train.eval_every);
  if (!run.zero_shot.empty())
    return fmt::format(
        "zero_shot is {}, but no set of held-out studies is named: give data.eval=[{{path: FOLDER, "
        "splits: [val]}}], or set zero_shot=",
        io::printable(run.zero_shot));
  return {};
}

constexpr std::array<RunRule, 15> kRules{plain_name,       image_sizes, image_heads, image_start, one_start,
                                         scans_of_a_study, text_sizes,  text_heads,  text_locks,  text_parts,
                                         objective_fields, set_weights, length,      rates,       held_out};

}  // namespace

std::span<const RunRule> run_rules() { return kRules; }

}  // namespace strata::app
