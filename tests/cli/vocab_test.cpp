// SPDX-License-Identifier: Apache-2.0
// strata vocab: text files and tables to a vocabulary, and every input it must refuse.
#include <gtest/gtest.h>

#include "strata/text/wordpiece.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

class Vocab : public testing::Test {
 protected:
  Vocab() {
    write("reports.txt", "No acute hemorrhage.\n\nAcute hemorrhage.\n");
    write("reports.csv", "id,Findings,impression\n1,No acute,hemorrhage.\n2,\"Acute\",hemorrhage.\n3,,\n");
    write("reports.jsonl", "{\"findings\": [\"No acute\", \"hemorrhage.\"]}\n{\"findings\": \"Acute hemorrhage.\"}\n");
  }

  std::string path(const std::string& name) const { return folder_.file(name); }
  void write(const std::string& name, const std::string& text) const { fixtures::write_all(path(name), text); }
  std::string read(const std::string& name) const { return fixtures::read_all(path(name)); }

  fixtures::ScratchFolder folder_;
};

TEST_F(Vocab, TheFormOfTheReportsDoesNotMatter) {
  const Outcome text = strata("vocab " + path("reports.txt") + " --to " + path("a.txt") + " --size 60");
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(text.out.starts_with("2 reports, 7 words, 4 of them different, in ")) << text.out;
  ASSERT_EQ(strata("vocab " + path("reports.csv") + " --to " + path("b.txt") +
                   " --size 60 --column findings --column impression")
                .code,
            0);
  ASSERT_EQ(strata("vocab " + path("reports.jsonl") + " --to " + path("c.txt") + " --size 60 --column findings").code,
            0);
  EXPECT_EQ(read("a.txt"), read("b.txt"));
  EXPECT_EQ(read("a.txt"), read("c.txt"));
  const auto tokenizer = text::WordPieceTokenizer::from_contents("a.txt", read("a.txt"));
  EXPECT_EQ(tokenizer.pieces("Acute hemorrhage."), (std::vector<std::string>{"acute", "hemorrhage", "."}));
}

TEST_F(Vocab, Errors) {
  const std::string to = " --to " + path("v.txt");
  expect_failure("vocab " + path("reports.csv") + to, 3,
                 "error (data): [table] '" + path("reports.csv") +
                     "' has no column 'report'\n  try:   it has 'id', 'Findings', 'impression'\n");
  expect_failure("vocab reports.doc" + to, 2,
                 "error (usage): [reports] cannot tell from 'reports.doc' how to read it\n  try:   end it in .txt (a "
                 "report a line), .csv, .tsv, .jsonl, .ndjson\n");
  expect_failure("vocab " + path("reports.txt") + " --to /none/such/v.txt", 4,
                 "error (environment): [vocab] there is no folder '/none/such'\n  try:   create the folder first\n");
  expect_failure(
      "vocab " + path("reports.txt") + to + " --size 9", 3,
      "error (data): [vocabulary] the characters alone are 27 pieces, the vocabulary is to have 9\n  try:   ask "
      "for more pieces or a smaller alphabet\n");
  write("blank.txt", " \n\n");
  expect_failure("vocab " + path("blank.txt") + to, 3,
                 "error (data): [vocabulary] there is no word in 0 texts\n  try:   give reports\n");
}

}  // namespace
}  // namespace strata::cli
