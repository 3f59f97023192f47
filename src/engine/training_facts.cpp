// SPDX-License-Identifier: Apache-2.0
//
// facts.json: what a checkpoint knows beside tensors and texts.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"
#include "strata/engine/checkpointing.hpp"

namespace strata::engine {

std::string facts_to_json(const TrainingFacts& facts) {
  nlohmann::ordered_json json{{"step", facts.step},
                              {"loader", {{"seed", facts.loader.seed}, {"position", facts.loader.position}}},
                              {"seed", facts.seed},
                              {"studies", facts.studies},
                              {"seconds", facts.seconds},
                              {"score", nullptr},
                              {"score_name", facts.score_name},
                              {"ranks", facts.ranks},
                              {"threads", facts.threads},
                              {"plan", facts.plan},
                              {"backend", facts.backend},
                              {"dtype", facts.dtype},
                              {"instruction_set", facts.instruction_set},
                              {"build", facts.build}};
  if (facts.score && std::isfinite(*facts.score)) json["score"] = *facts.score;
  return json.dump(2) + "\n";
}

TrainingFacts facts_from_json(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    TrainingFacts facts;
    json.at("step").get_to(facts.step);
    json.at("loader").at("seed").get_to(facts.loader.seed);
    json.at("loader").at("position").get_to(facts.loader.position);
    json.at("seed").get_to(facts.seed);
    facts.studies = json.value("studies", std::int64_t{0});
    facts.seconds = json.value("seconds", 0.0);
    if (json.contains("score") && json["score"].is_number()) facts.score = json["score"].get<double>();
    facts.score_name = json.value("score_name", "");
    facts.ranks = json.value("ranks", 0);
    facts.threads = json.value("threads", 0);
    facts.plan = json.value("plan", "");
    facts.backend = json.value("backend", "");
    facts.dtype = json.value("dtype", "");
    facts.instruction_set = json.value("instruction_set", "");
    facts.build = json.value("build", "");
    return facts;
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::checkpoint, "checkpoint",
         fmt::format("{} of {} cannot be read: {}", kFactsText, printable(where, 400), error.what()),
         "is it the checkpoint of a training? weights alone cannot be resumed");
  }
}

}  // namespace strata::engine
