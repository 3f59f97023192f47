// SPDX-License-Identifier: Apache-2.0
#include "app/eval_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using Json = nlohmann::ordered_json;
using engine::ClassReport;
using engine::DecisionScores;
using engine::Estimate;
using engine::TaskReport;
using metrics::ConfusionMatrix;

std::string number(double value) { return std::isnan(value) ? "-" : fmt::format("{:.3f}", value); }

std::string interval_of(const Estimate& estimate) {
  if (!estimate.interval || estimate.interval->resamples == 0) return "-";
  return fmt::format("{:.3f} to {:.3f}", estimate.interval->low, estimate.interval->high);
}

std::string decisions_row(const DecisionScores& scores) {
  return fmt::format("{:>8} {:>8} {:>8} {:>8} {:>8}", number(scores.balanced_accuracy), number(scores.precision),
                     number(scores.recall), number(scores.f1), number(scores.weighted_f1));
}

std::size_t name_width(const TaskReport& task) {
  std::size_t width = 8;
  for (const auto& one : task.classes) width = std::max(width, one.name.size());
  return width;
}

std::string class_row(const ClassReport& one, std::size_t width) {
  return fmt::format("{:<{}} {:>6} {:>8} {:>7} {:>16} {:>7} {} {:>9}\n", one.name, width, one.positive + one.negative,
                     one.positive, number(one.auroc.value), interval_of(one.auroc), number(one.average_precision),
                     decisions_row(one.decisions), one.threshold ? number(*one.threshold) : "highest");
}

std::string matrix_table(const TaskReport& task, std::size_t width) {
  std::string text = fmt::format("\n{:<{}}", "true \\ said", std::max<std::size_t>(width, 12));
  for (const auto& one : task.classes)
    text += fmt::format(" {:>{}}", one.name, std::max<std::size_t>(6, one.name.size()));
  for (std::size_t t = 0; t < task.classes.size(); ++t) {
    text += fmt::format("\n{:<{}}", task.classes[t].name, std::max<std::size_t>(width, 12));
    for (std::size_t p = 0; p < task.classes.size(); ++p)
      text += fmt::format(" {:>{}}", task.matrix->count(static_cast<std::int64_t>(t), static_cast<std::int64_t>(p)),
                          std::max<std::size_t>(6, task.classes[p].name.size()));
  }
  return text + "\n";
}

std::string task_table(const EvalReport& report, const TaskReport& task) {
  const std::size_t width = name_width(task);
  std::string text = fmt::format("{}: {}, {} {}\n", report.label_set, task.name, task.studies,
                                 task.studies == 1 ? "study" : "studies");
  if (task.studies == 0) return text + "no study is asked: the labels that the task reads are not known for any\n";
  text += fmt::format("{:<{}} {:>6} {:>8} {:>7} {:>16} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}\n", "class", width,
                      "n", "positive", "AUROC", "95 % interval", "AP", "bal.acc.", "prec.", "recall", "F1", "F1 w.",
                      "threshold");
  for (const auto& one : task.classes) text += class_row(one, width);
  text += fmt::format("{:<{}} {:>6} {:>8} {:>7} {:>16} {:>7} {}\n", "macro", width, "", "", number(task.auroc.value),
                      interval_of(task.auroc), number(task.average_precision), decisions_row(task.decisions));
  text += fmt::format("accuracy {}, balanced accuracy {} ({}), weighted F1 {} ({})\n", number(task.decisions.accuracy),
                      number(task.balanced_accuracy.value), interval_of(task.balanced_accuracy),
                      number(task.weighted_f1.value), interval_of(task.weighted_f1));
  return task.matrix ? text + matrix_table(task, width) : text;
}

std::string retrieval_table(const RetrievalReport& report) {
  std::string text = fmt::format("retrieval among {} studies with reports", report.studies);
  if (report.identical_reports > 0)
    text += fmt::format(" ({} of them read like another's: counted as ties)", report.identical_reports);
  text += "\n             image to text  text to image   by chance\n";
  for (const auto& one : report.recalls)
    text +=
        fmt::format("recall@{:<4} {:>14} {:>14} {:>11}\n", one.k, number(one.image_to_text), number(one.text_to_image),
                    number(std::min(1.0, static_cast<double>(one.k) / static_cast<double>(report.studies))));
  return text + fmt::format("loss {:.4f}, the mean over groups of {} studies\n", report.loss, report.loss_batch);
}

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json json_estimate(const Estimate& estimate) {
  Json json{{"value", json_number(estimate.value)}};
  if (estimate.interval) {
    json["interval"] = {json_number(estimate.interval->low), json_number(estimate.interval->high)};
    json["resamples"] = estimate.interval->resamples;
  }
  return json;
}

Json json_decisions(const DecisionScores& scores) {
  return {{"accuracy", json_number(scores.accuracy)},
          {"balanced_accuracy", json_number(scores.balanced_accuracy)},
          {"precision", json_number(scores.precision)},
          {"recall", json_number(scores.recall)},
          {"f1", json_number(scores.f1)},
          {"weighted_f1", json_number(scores.weighted_f1)}};
}

Json json_matrix(const ConfusionMatrix& matrix) {
  Json rows = Json::array();
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    Json row = Json::array();
    for (std::int64_t p = 0; p < matrix.classes(); ++p) row.push_back(matrix.count(t, p));
    rows.push_back(std::move(row));
  }
  return rows;
}

Json json_class(const ClassReport& one) {
  return {{"name", one.name},
          {"positive", one.positive},
          {"negative", one.negative},
          {"unknown", one.unknown},
          {"auroc", json_estimate(one.auroc)},
          {"average_precision", json_number(one.average_precision)},
          {"threshold", one.threshold ? json_number(*one.threshold) : Json(nullptr)},
          {"decisions", json_decisions(one.decisions)},
          {"confusion_matrix", json_matrix(one.matrix)}};
}

const char* name_of(engine::ZeroShotScore score) {
  return score == engine::ZeroShotScore::prompts   ? "prompts"
         : score == engine::ZeroShotScore::classes ? "classes"
                                                   : "similarity";
}

Json json_task(const TaskReport& task) {
  Json json{{"name", task.name},
            {"score", name_of(task.score)},
            {"studies", task.studies},
            {"auroc", json_estimate(task.auroc)},
            {"average_precision", json_number(task.average_precision)},
            {"balanced_accuracy", json_estimate(task.balanced_accuracy)},
            {"weighted_f1", json_estimate(task.weighted_f1)},
            {"decisions", json_decisions(task.decisions)},
            {"classes", Json::array()}};
  for (const auto& one : task.classes) json["classes"].push_back(json_class(one));
  if (task.matrix) json["confusion_matrix"] = json_matrix(*task.matrix);
  return json;
}

Json json_retrieval(const RetrievalReport& report) {
  Json json{{"studies", report.studies},
            {"identical_reports", report.identical_reports},
            {"loss", json_number(report.loss)},
            {"loss_batch", report.loss_batch},
            {"recall", Json::array()}};
  for (const auto& one : report.recalls)
    json["recall"].push_back({{"k", one.k},
                              {"image_to_text", json_number(one.image_to_text)},
                              {"text_to_image", json_number(one.text_to_image)}});
  return json;
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + "\"";
}

}  // namespace

std::string table_of(const EvalReport& report) {
  std::string text;
  for (const auto& task : report.tasks) text += task_table(report, task) + "\n";
  if (report.retrieval) text += retrieval_table(*report.retrieval);
  return text;
}

std::string json_of(const EvalReport& report) {
  Json json{{"label_set", report.label_set}};
  for (const auto& [key, value] : report.origin) json[key] = value;
  json["data"] = report.sets;
  json["step"] = report.step;
  json["studies"] = report.studies;
  json["seconds"] = report.seconds;
  json["tasks"] = Json::array();
  for (const auto& task : report.tasks) json["tasks"].push_back(json_task(task));
  if (report.retrieval) json["retrieval"] = json_retrieval(*report.retrieval);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string predictions_of(const EvalReport& report, std::size_t task, const engine::EncodedStudies& studies) {
  const engine::TaskScores& scores = report.scores[task];
  const auto decisions = engine::decide(scores);
  std::string text = "set,key";
  for (const auto& name : scores.classes)
    for (const char* what : {" score", " label", " prediction"}) text += "," + quoted(name + what);
  for (std::size_t i = 0, cell = 0; i < scores.studies.size(); ++i) {
    const auto study = static_cast<std::size_t>(scores.studies[i]);
    text +=
        "\n" + quoted(report.sets[static_cast<std::size_t>(studies.sets[study])]) + "," + quoted(studies.keys[study]);
    for (std::size_t c = 0; c < scores.classes.size(); ++c, ++cell)
      text += fmt::format(",{},{},{}", scores.scores[cell],
                          scores.truths[cell] < 0 ? "" : std::to_string(scores.truths[cell]), decisions[cell]);
  }
  return text + "\n";
}

std::string predictions_name(const EvalReport& report, std::size_t task) {
  if (report.scores.size() == 1) return "predictions.csv";
  std::string name = report.scores[task].name;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  std::ranges::replace_if(
      name, [&](char c) { return !plain(c); }, '_');
  return fmt::format("predictions_{}_{}.csv", task + 1, name);
}

}  // namespace strata::app
