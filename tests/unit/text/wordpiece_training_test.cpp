// SPDX-License-Identifier: Apache-2.0
#include "strata/text/wordpiece_training.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "strata/text/wordpiece.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::text {
namespace {

using fixtures::expect_error;
using Pieces = std::vector<std::string>;

Pieces train(const std::vector<std::string>& texts, VocabularyOptions options) {
  VocabularyTrainer trainer(options);
  for (const auto& text : texts) trainer.add(text);
  return trainer.train("v").pieces();
}

// "low" 5, "lower" 2, "newest" 6, "widest" 3: the example of Sennrich et al., by hand.
TEST(WordPieceTraining, MergesTheMostFrequentPairs) {
  std::vector<std::string> texts(5, "low");
  texts.insert(texts.end(), 2, "lower");
  texts.insert(texts.end(), 6, "Newest");
  texts.insert(texts.end(), 3, "wídest");
  VocabularyOptions options;
  options.size = 5 + 10 + 8 + 6;  // d e i l n o r s t w; ##d ##e ##i ##o ##r ##s ##t ##w
  const Pieces pieces = train(texts, options);
  ASSERT_EQ(pieces.size(), 29u);
  EXPECT_EQ(Pieces(pieces.begin(), pieces.begin() + 23),
            (Pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "d",   "e",   "i",   "l",   "n",   "o",  "r",
                    "s",     "t",     "w",     "##d",   "##e",    "##i", "##o", "##r", "##s", "##t", "##w"}));
  // e·s and s·t are 9 each, and ##e was made before ##s; then ##es·##t 9; l·##o and ##o·##w are 7 each, l came first.
  EXPECT_EQ(Pieces(pieces.begin() + 23, pieces.begin() + 27), (Pieces{"##es", "##est", "lo", "low"}));
}

TEST(WordPieceTraining, StopsAtRarePairsAndLeavesRareCharactersOut) {
  VocabularyOptions options;
  options.min_frequency = 2;
  options.alphabet = 2;
  const Pieces pieces = train({"ab ab ac"}, options);
  EXPECT_EQ(Pieces(pieces.begin() + 5, pieces.end()), (Pieces{"a", "b", "##b", "ab"}));
}

// The slow way: every pair counted anew before each merge.
Pieces merged_slowly(const std::vector<std::string>& texts, std::size_t size) {
  std::map<std::string, std::int64_t> words;
  for (const auto& text : texts)
    for (const auto word : split_words(text)) ++words[std::string(word)];
  Pieces pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::map<std::string, std::int64_t> id;
  const auto add = [&](const std::string& piece) {
    if (id.try_emplace(piece, pieces.size()).second) pieces.push_back(piece);
  };
  std::vector<std::pair<Pieces, std::int64_t>> cut;
  std::map<std::string, bool> all, inner;
  for (const auto& [word, count] : words) {
    cut.push_back({{}, count});
    for (std::size_t i = 0; i < word.size(); ++i) {
      all[word.substr(i, 1)] = true;
      if (i > 0) inner["##" + word.substr(i, 1)] = true;
      cut.back().first.push_back((i > 0 ? "##" : "") + word.substr(i, 1));
    }
  }
  for (const auto& entry : all) add(entry.first);
  for (const auto& entry : inner) add(entry.first);
  while (pieces.size() < size) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> pairs;
    for (const auto& [word, count] : cut)
      for (std::size_t i = 0; i + 1 < word.size(); ++i) pairs[{id[word[i]], id[word[i + 1]]}] += count;
    auto best = pairs.begin();
    for (auto at = pairs.begin(); at != pairs.end(); ++at)
      if (at->second > best->second) best = at;
    if (best == pairs.end() || best->second < 2) break;
    const std::string a = pieces[static_cast<std::size_t>(best->first.first)],
                      b = pieces[static_cast<std::size_t>(best->first.second)];
    add(a + b.substr(2));
    for (auto& [word, count] : cut)
      for (std::size_t i = 0; i + 1 < word.size(); ++i)
        if (word[i] == a && word[i + 1] == b) {
          word[i] = a + b.substr(2);
          word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
  }
  return pieces;
}

TEST(WordPieceTraining, EqualsCountingEveryPairAnew) {
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (int word = 0; word < 5; ++word) {
      for (std::size_t length = 1 + random() % 9; length > 0; --length)
        text += static_cast<char>('a' + (random() % 4) * (random() % 2));
      text += ' ';
    }
    texts.push_back(text);
  }
  VocabularyOptions options;
  options.size = 300;
  const Pieces pieces = train(texts, options);
  EXPECT_EQ(pieces.size(), 300u);
  EXPECT_EQ(pieces, merged_slowly(texts, 300));
  std::ranges::reverse(texts);
  EXPECT_EQ(pieces, train(texts, options)) << "the order of texts does not count";
}

TEST(WordPieceTraining, ItsVocabularyCutsEveryWordItLearntFrom) {
  const std::vector<std::string> texts{"No acute intracranial hemorrhage.", "Acute subdural hematoma, 12 mm."};
  VocabularyOptions options;
  options.size = 200;
  const WordPieceTokenizer tokenizer(Vocabulary("v", train(texts, options)), {});
  for (const auto& text : texts)
    for (const auto id : tokenizer.ids(text)) EXPECT_NE(id, tokenizer.unknown());
}

TEST(WordPieceTraining, Errors) {
  VocabularyOptions options;
  options.size = 5;
  expect_error([&] { VocabularyTrainer{options}; }, ErrorKind::usage,
               "[vocabulary] a vocabulary of 5 pieces: choose 1,000 to 100,000");
  options.size = 8;
  expect_error([&] { train({"abcd"}, options); }, ErrorKind::data,
               "[vocabulary] the characters alone are 12 pieces, the vocabulary is to have 8: ask for more pieces or a "
               "smaller alphabet");
  expect_error(
      [&] {
        train({" ", ""}, options);
      },
      ErrorKind::data, "[vocabulary] there is no word in 2 texts: give reports");
}

}  // namespace
}  // namespace strata::text
