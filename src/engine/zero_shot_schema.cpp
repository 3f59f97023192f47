// SPDX-License-Identifier: Apache-2.0
//
// How a label set stands in YAML, and what must hold within one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "engine/zero_shot_parts.hpp"
#include "strata/base/error.hpp"
#include "strata/engine/zero_shot.hpp"
#include "strata/io/text.hpp"

namespace strata::engine {
namespace {

std::string wrong_templates(const std::vector<std::string>& templates) {
  for (const auto& one : templates) {
    const auto at = one.find("{}");
    if (at == std::string::npos || one.find("{}", at + 2) != std::string::npos)
      return fmt::format("template \"{}\" must have one {{}}, where the prompt goes", io::printable(one, 100));
  }
  return {};
}

std::string wrong_class(const ZeroShotClass& one) {
  if (one.name.empty()) return "a class has no name";
  if (one.prompts.empty()) return fmt::format("class {} has no prompts", one.name);
  return wrong_templates(one.templates);
}

std::string wrong_condition(const StudyCondition& one) {
  if (!one.least && !one.most) return fmt::format("the condition on {} has neither least nor most", one.column);
  if (one.least && one.most && *one.least > *one.most)
    return fmt::format("the condition on {} wants at least {:g} and at most {:g}", one.column, *one.least, *one.most);
  return {};
}

std::string wrong_task(const ZeroShotSpec& spec, const ZeroShotTask& task) {
  std::vector<std::string> names;
  for (const auto& one : spec.classes) names.push_back(one.name);
  for (const auto& name : task.classes) {
    if (std::ranges::count(task.classes, name) > 1) return fmt::format("task {} names {} twice", task.name, name);
    if (std::ranges::count(names, name) > 0) continue;
    const auto near = nearest_name(name, names);
    return fmt::format("task {} asks for a class {}, which there is not{}", task.name, name,
                       near.empty() ? "" : fmt::format(": did you mean {}?", near));
  }
  const auto asked = classes_of(spec, task);
  if (task.score == ZeroShotScore::classes && asked.size() < 2)
    return fmt::format("task {} compares classes, and has {}", task.name, asked.size());
  for (const std::size_t at : asked)
    if (task.score == ZeroShotScore::prompts && spec.classes[at].negatives.empty())
      return fmt::format("class {} has no negatives, which task {} compares its prompts with", names[at], task.name);
  return {};
}

template <class Items>
std::string repeated_name(const Items& items, const char* what) {
  std::set<std::string> seen;
  for (const auto& one : items)
    if (!seen.insert(one.name).second) return fmt::format("there are two {} {}", what, one.name);
  return {};
}

std::string wrong_set(const ZeroShotSpec& spec) {
  if (std::string wrong = wrong_templates(spec.templates); !wrong.empty()) return wrong;
  if (std::string wrong = repeated_name(spec.classes, "classes"); !wrong.empty()) return wrong;
  if (std::string wrong = repeated_name(spec.tasks, "tasks"); !wrong.empty()) return wrong;
  for (const auto& task : tasks_of(spec))
    if (std::string wrong = wrong_task(spec, task); !wrong.empty()) return wrong;
  return {};
}

config::Schema<ZeroShotClass> class_schema() {
  config::Schema<ZeroShotClass> schema;
  schema.field("name", &ZeroShotClass::name, {.help = "as tables call it", .required = true});
  schema.field("columns", &ZeroShotClass::columns,
               {.help = "label columns, one of which must say yes; empty: the one of its name"});
  schema.field("prompts", &ZeroShotClass::prompts,
               {.help = "what a report says where it is present", .required = true});
  schema.field("negatives", &ZeroShotClass::negatives, {.help = "what a report says where it is absent"});
  schema.field("templates", &ZeroShotClass::templates, {.help = "its own; empty: those of the label set"});
  schema.field("threshold", &ZeroShotClass::threshold, {.help = "its own, in place of the task's rule"});
  schema.check(wrong_class);
  return schema;
}

config::Schema<StudyCondition> condition_schema() {
  config::Schema<StudyCondition> schema;
  schema.field("column", &StudyCondition::column, {.help = "a label column", .required = true});
  schema.field("least", &StudyCondition::least, {.help = "smallest value of a study that stays"});
  schema.field("most", &StudyCondition::most, {.help = "largest value of a study that stays"});
  schema.check(wrong_condition);
  return schema;
}

config::Schema<ZeroShotTask> task_schema() {
  using metrics::ThresholdRule;
  config::Schema<ZeroShotTask> schema;
  schema.field("name", &ZeroShotTask::name, {.help = "as tables call it", .required = true});
  schema.field("classes", &ZeroShotTask::classes, {.help = "by name; empty: all"});
  schema.choice("score", &ZeroShotTask::score,
                {{"prompts", ZeroShotScore::prompts},
                 {"classes", ZeroShotScore::classes},
                 {"similarity", ZeroShotScore::similarity}},
                {.help = "softmax over a class's prompts and negatives; over classes; or the cosine"});
  schema.choice(
      "threshold", &ZeroShotTask::threshold,
      {{"fixed", ThresholdRule::fixed}, {"roc_corner", ThresholdRule::roc_corner}, {"youden", ThresholdRule::youden}},
      {.help = "where present begins: fixed, or chosen on the studies judged, for each class"});
  schema.field("threshold_value", &ZeroShotTask::threshold_value, {.help = "of the fixed rule"});
  schema.list("studies", &ZeroShotTask::studies, condition_schema(), {.help = "which studies are asked"});
  return schema;
}

}  // namespace

std::vector<ZeroShotTask> tasks_of(const ZeroShotSpec& spec) {
  if (!spec.tasks.empty()) return spec.tasks;
  ZeroShotTask all;
  all.name = spec.name;
  return {all};
}

std::vector<std::size_t> classes_of(const ZeroShotSpec& spec, const ZeroShotTask& task) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < task.classes.size(); ++i)
    for (std::size_t at = 0; at < spec.classes.size(); ++at)
      if (spec.classes[at].name == task.classes[i]) result.push_back(at);
  for (std::size_t at = 0; task.classes.empty() && at < spec.classes.size(); ++at) result.push_back(at);
  return result;
}

std::vector<std::string> columns_of(const ZeroShotClass& one) {
  return one.columns.empty() ? std::vector{one.name} : one.columns;
}

config::Schema<ZeroShotSpec> zero_shot_schema() {
  config::Schema<ZeroShotSpec> schema;
  schema.field("name", &ZeroShotSpec::name, {.help = "as tables call it", .required = true});
  schema.field("description", &ZeroShotSpec::description, {.help = "where studies and labels come from"});
  schema.field("positive_from", &ZeroShotSpec::positive_from, {.help = "smallest label that means present"});
  schema.field("prefix", &ZeroShotSpec::prefix, {.help = "prompts begin with the prefix of the model's reports"});
  schema.field("templates", &ZeroShotSpec::templates,
               {.help = "sentences around a prompt, which goes for {}", .fewest = 1});
  schema.list("classes", &ZeroShotSpec::classes, class_schema(), {.help = "what is asked", .fewest = 1});
  schema.list("tasks", &ZeroShotSpec::tasks, task_schema(), {.help = "of which classes and studies; none: one of all"});
  schema.check(wrong_set);
  return schema;
}

void check_columns(const ZeroShotSpec& spec, const std::vector<std::string>& label_names) {
  const auto check = [&](const std::string& column, const std::string& who) {
    if (std::ranges::find(label_names, column) != label_names.end()) return;
    const auto near = nearest_name(column, label_names);
    fail(ErrorKind::usage, "label set",
         label_names.empty()
             ? fmt::format("{} of {} reads label column {}, and the studies have no labels", who, spec.name, column)
             : fmt::format("{} of {} reads label column {}; the studies have {}", who, spec.name, column,
                           io::printable(fmt::format("{}", fmt::join(label_names, ", ")), 600)),
         near.empty() ? "ingest labels under these names, or name your columns in a copy of the label set"
                      : fmt::format("did you mean {}?", io::printable(std::string(near), 100)));
  };
  for (const auto& task : tasks_of(spec)) {
    for (const std::size_t at : classes_of(spec, task))
      for (const auto& column : columns_of(spec.classes[at])) check(column, "class " + spec.classes[at].name);
    for (const auto& condition : task.studies) check(condition.column, "task " + task.name);
  }
}

}  // namespace strata::engine
