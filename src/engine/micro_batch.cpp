// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/micro_batch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "strata/base/error.hpp"
#include "strata/data/draws.hpp"

namespace strata::engine {
namespace {

using data::Batch;

constexpr std::array<std::pair<std::string_view, ReportPart>, 3> kParts{
    {{"report", ReportPart::report}, {"findings", ReportPart::findings}, {"impression", ReportPart::impression}}};
constexpr std::array<std::string_view, 4> kHeadings{"IMPRESSION", "CONCLUSION", "OPINION", "SUMMARY"};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// "Impression: ..." and "IMPRESSION - ..." are; "Impression of the orbit ..." is not.
bool is_heading(std::string_view sentence, std::string_view heading) {
  if (sentence.size() <= heading.size()) return false;
  const bool begins =
      std::equal(heading.begin(), heading.end(), sentence.begin(), [](char a, char b) { return a == upper(b); });
  const auto behind = sentence.find_first_not_of(' ', heading.size());
  return begins && behind != std::string_view::npos && (sentence[behind] == ':' || sentence[behind] == '-');
}

std::size_t impression_begin(const std::vector<std::string>& sentences) {
  const auto at = std::ranges::find_if(sentences, [](const std::string& sentence) {
    return std::ranges::any_of(kHeadings, [&](std::string_view heading) { return is_heading(sentence, heading); });
  });
  return static_cast<std::size_t>(at - sentences.begin());
}

models::StudyBatch studies_of(Tensor scans, const Batch& batch) {
  models::StudyBatch studies;
  studies.scans = std::move(scans);
  studies.study_offsets = batch.study_offsets;
  studies.ordinals = batch.ordinals;
  // The loader's v·scale + shift is a value in [0, 1]; what the model takes is that, normalised.
  models::normalise_intensity(studies, 1);
  studies.shift += studies.scale * batch.shift;
  studies.scale *= batch.scale;
  return studies;
}

std::vector<std::string> drawn(std::vector<std::string> sentences, const SentenceDraws& draws, std::int64_t ordinal) {
  const auto count = std::ssize(sentences);
  std::vector<std::int64_t> order(sentences.size());
  std::iota(order.begin(), order.end(), 0);
  if (draws.shuffle) order = data::sentence_order(count, draws.seed, ordinal);
  std::vector<std::string> result;
  for (const auto i : data::keep_sentences(count, draws.dropout, draws.seed, ordinal))
    result.push_back(std::move(sentences[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]));
  return result;
}

models::TextBatch texts_of(const Batch& batch, const TextReading& reading, std::size_t part) {
  models::TextBatch texts;
  for (std::size_t b = 0; b < batch.reports.size(); ++b) {
    auto sentences = part_of(batch.reports[b], reading.parts[part]);
    if (reading.draws) sentences = drawn(std::move(sentences), *reading.draws, batch.ordinals[b]);
    const auto text = fmt::format("{}{}", reading.prefix, fmt::join(sentences, " "));
    texts.add(reading.tokenizer->encode(text, reading.context), batch.ordinals[b]);
    texts.parts.push_back(static_cast<std::int64_t>(part));
  }
  return texts;
}

Tensor labels_of(const Batch& batch) {
  const auto columns = static_cast<std::int64_t>(batch.labels.size()) / batch.studies();
  if (columns == 0) return {};
  const Tensor labels = host_tensor(DType::f32, {batch.studies(), columns});
  std::ranges::copy(batch.labels, labels.data<float>());
  return labels;
}

}  // namespace

ReportPart parse_report_part(std::string_view name) {
  std::array<std::string_view, kParts.size()> names;
  std::ranges::transform(kParts, names.begin(), [](const auto& part) { return part.first; });
  const auto at = std::ranges::find(names, name);
  if (at != names.end()) return kParts[static_cast<std::size_t>(at - names.begin())].second;
  const auto near = nearest_name(name, names);
  fail(ErrorKind::usage, "report", fmt::format("there is no part '{}' of a report", name),
       near.empty() ? "parts are report, findings, impression" : fmt::format("did you mean '{}'?", near));
}

std::vector<std::string> part_of(const std::vector<std::string>& sentences, ReportPart part) {
  const auto cut = static_cast<std::ptrdiff_t>(impression_begin(sentences));
  if (part == ReportPart::report || cut == 0 || cut == std::ssize(sentences)) return sentences;
  return part == ReportPart::findings ? std::vector(sentences.begin(), sentences.begin() + cut)
                                      : std::vector(sentences.begin() + cut, sentences.end());
}

objectives::MicroBatch micro_batch(const Context& ctx, const Batch& batch, const TextReading& reading) {
  return batch.empty() ? objectives::MicroBatch() : micro_batch(ctx.upload(batch.scans), batch, reading);
}

objectives::MicroBatch micro_batch(Tensor scans, const Batch& batch, const TextReading& reading) {
  objectives::MicroBatch result;
  result.studies = studies_of(std::move(scans), batch);
  if (reading.tokenizer)
    for (std::size_t part = 0; part < reading.parts.size(); ++part)
      result.texts.push_back(texts_of(batch, reading, part));
  result.labels = labels_of(batch);
  return result;
}

}  // namespace strata::engine
