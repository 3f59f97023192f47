// SPDX-License-Identifier: Apache-2.0
// strata vocab: reports in, a WordPiece vocabulary (vocab.txt) out.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "app/command.hpp"
#include "app/report_file.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"
#include "strata/text/wordpiece_training.hpp"

namespace strata::app {
namespace {

struct VocabOptions {
  std::vector<std::string> reports, columns{"report"};
  std::string to;
  text::VocabularyOptions training;
  bool cased = false, keep_accents = false;
};

// Asked before the work, not after it.
void check_output(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  STRATA_CHECK(folder.empty() || std::filesystem::is_directory(folder), environment, "vocab",
               fmt::format("there is no folder {}", io::printable(folder.string(), 400)), "create the folder first");
}

void make_vocabulary(VocabOptions options) {
  check_output(options.to);
  options.training.basic.do_lower_case = !options.cased;
  if (options.keep_accents) options.training.basic.strip_accents = false;
  const auto begin = std::chrono::steady_clock::now();
  text::VocabularyTrainer trainer(options.training);
  for (const auto& path : options.reports)
    read_reports(path, options.columns, [&](std::string_view report) { trainer.add(report); });
  const text::Vocabulary vocabulary = trainer.train(options.to);
  io::OutputFile file("vocab", options.to);
  file.write(vocabulary.lines());
  file.commit();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  fmt::print("{} reports, {} words, {} of them different, in {:.1f} s: {} {} pieces\n", trainer.texts(),
             trainer.words(), trainer.distinct_words(), seconds.count(), io::printable(options.to, 400),
             vocabulary.size());
}

}  // namespace

Action add_vocab(CLI::App& parser) {
  const auto options = std::make_shared<VocabOptions>();
  parser.add_option("reports", options->reports, "a report a line (.txt), or tables (.csv, .tsv, .jsonl, .ndjson)")
      ->required()
      ->type_name("FILE");
  parser.add_option("--to", options->to, "where to write the vocabulary, a piece a line")
      ->required()
      ->type_name("VOCAB");
  parser.add_option("--column", options->columns, "columns of a table that hold the report (report)")
      ->type_name("NAME")
      ->allow_extra_args(false);
  parser.add_option("--size", options->training.size, "pieces at most, special ones included (30522)")->type_name("N");
  parser.add_option("--min-frequency", options->training.min_frequency, "how often a pair must occur to be merged (2)")
      ->type_name("N");
  parser.add_option("--alphabet", options->training.alphabet, "different characters, the most frequent ones (1000)")
      ->type_name("N");
  parser.add_flag("--cased", options->cased, "keep capitals and accents: the tokenizer must then do so too");
  parser.add_flag("--keep-accents", options->keep_accents, "keep accents: the tokenizer must then do so too");
  return [options] { make_vocabulary(*options); };
}

}  // namespace strata::app
