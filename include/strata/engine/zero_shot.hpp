// SPDX-License-Identifier: Apache-2.0
//
// Zero-shot classification: a class is what its prompts say. A label set (configs/eval) names classes, where their
// truth stands in the studies' label columns, prompts and templates; a class embedding is the mean of the normalised
// text embeddings of all prompts × templates, normalised again (Radford et al., arXiv 2103.00020, section 3.1.4), and a
// study's score compares its image embedding with those. docs/evaluation.md describes the file and every number.
//
// Not for trained classifiers. Costs one pass of the text tower over the prompts, and studies × classes dot products.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "strata/config/schema.hpp"
#include "strata/engine/encode.hpp"
#include "strata/metrics/threshold.hpp"

namespace strata::engine {

enum class ZeroShotScore : std::uint8_t {
  prompts,     // softmax over the class's own two groups, prompts and negatives, at the model's logit scale
  classes,     // softmax over the classes of the task, one of which is true, at the model's logit scale
  similarity,  // the cosine of image and prompts
};

// Studies whose value in a label column lies within [least, most] stay; those without a value do not.
struct StudyCondition {
  std::string column;
  std::optional<double> least, most;
};

struct ZeroShotClass {
  std::string name;
  // Label columns: the class is present where one of them is at least `positive_from`; not known where one is NaN and
  // none is. Empty: the column of its name.
  std::vector<std::string> columns;
  std::vector<std::string> prompts, negatives;
  std::vector<std::string> templates;  // empty: those of the label set
  std::optional<double> threshold;     // its own, whatever the task's rule
};

// A question about the studies, by classes of the label set.
struct ZeroShotTask {
  std::string name;
  std::vector<std::string> classes;  // empty: all
  ZeroShotScore score = ZeroShotScore::prompts;
  // Which studies are asked. Of a task whose score is `classes`, studies with exactly one of its classes.
  std::vector<StudyCondition> studies;
  metrics::ThresholdRule threshold = metrics::ThresholdRule::fixed;
  double threshold_value = 0.5;  // of the fixed rule
};

struct ZeroShotSpec {
  std::string name;         // "CQ500"
  std::string description;  // where the labels come from
  double positive_from = 0.5;
  bool prefix = true;                        // prompts begin with the prefix the model's reports had in training
  std::vector<std::string> templates{"{}"};  // each with one {}
  std::vector<ZeroShotClass> classes;
  std::vector<ZeroShotTask> tasks;  // none: one, of all classes by their prompts and negatives
};

config::Schema<ZeroShotSpec> zero_shot_schema();

// Usage error naming a class whose column the studies have not, with the nearest there is and the list of all.
void check_columns(const ZeroShotSpec& spec, const std::vector<std::string>& label_names);

// What a task says of its studies. Scores and truths are [n, k]; truths 1, 0, or −1: not known.
struct TaskScores {
  std::string name;
  ZeroShotScore score = ZeroShotScore::prompts;
  std::vector<std::string> classes;  // [k]
  metrics::ThresholdRule rule = metrics::ThresholdRule::fixed;
  double threshold_value = 0.5;
  std::vector<std::optional<double>> thresholds;  // [k] those of their own
  std::vector<std::int64_t> studies;              // [n] which of the encoded studies, in their order
  std::vector<double> scores;                     // [n, k]
  std::vector<std::int8_t> truths;                // [n, k]

  std::int64_t count() const { return static_cast<std::int64_t>(studies.size()); }
};

// Of a class: unit vectors of its two groups.
struct ClassEmbedding {
  std::vector<double> prompts, negatives;  // [C]; no negatives: empty
};

// A text for each prompt and template of a class, as the tokenizer gets it.
std::vector<std::string> prompt_texts(const std::vector<std::string>& prompts,
                                      const std::vector<std::string>& templates, const std::string& prefix);

// By class of the label set. Blocks of prompts are dealt to the ranks of `world`. Collective.
std::vector<ClassEmbedding> embed_prompts(Context& ctx, objectives::ImageTextObjective& model,
                                          const TextReading& reading, const ZeroShotSpec& spec,
                                          comm::Communicator& world);

// All tasks of the label set, in its order. For models with e embeddings a study, logits are the mean of the e, each at
// its own scale. Collective, for the prompts; everything else each rank does by itself.
std::vector<TaskScores> zero_shot_scores(Context& ctx, objectives::ImageTextObjective& model,
                                         const TextReading& reading, const ZeroShotSpec& spec,
                                         const EncodedStudies& studies, comm::Communicator& world);

}  // namespace strata::engine
