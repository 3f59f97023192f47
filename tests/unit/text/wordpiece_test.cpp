// SPDX-License-Identifier: Apache-2.0
#include "strata/text/wordpiece.hpp"

#include <gtest/gtest.h>

#include "tests/fixtures/expect_error.hpp"

namespace strata::text {
namespace {

using fixtures::expect_error;
using Pieces = std::vector<std::string>;
using Views = std::vector<std::string_view>;

const char* const kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhem\n##orr\n##hage\nno\n.\nh\n##e\nÉ\nSEP\n[\n]\n";

WordPieceTokenizer small(WordPieceOptions options = {}) {
  return WordPieceTokenizer::from_contents("vocab.txt", kVocabulary, std::move(options));
}

TEST(WordPiece, LongestPiecesFirst) {
  EXPECT_EQ(small().pieces("No hemorrhage."), (Pieces{"no", "hem", "##orr", "##hage", "."}));
  EXPECT_EQ(small().pieces("he hex noh"), (Pieces{"h", "##e", "[UNK]", "[UNK]"}));
  EXPECT_TRUE(small().pieces(" \t\r\n").empty());
}

TEST(WordPiece, EncodesWithinAContext) {
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer.encode("no no no no", 512), (std::vector<std::int32_t>{2, 8, 8, 8, 8, 3}));
  EXPECT_EQ(tokenizer.encode("no no no no", 4), (std::vector<std::int32_t>{2, 8, 8, 3}));
  EXPECT_EQ(tokenizer.encode("", 4), (std::vector<std::int32_t>{2, 3}));
  expect_error([&] { tokenizer.encode("no", 2); }, ErrorKind::usage,
               "[tokenizer] a context of 2 has no room for a piece: BERT's context is at most 512");
}

TEST(WordPiece, SpecialPiecesInTheText) {
  EXPECT_EQ(small().pieces("no[SEP]no [sep]"), (Pieces{"no", "[SEP]", "no", "[", "[UNK]", "]"}));
  WordPieceOptions options;
  options.split_special_tokens = true;
  options.basic.do_lower_case = false;
  EXPECT_EQ(small(options).pieces("no[SEP]no"), (Pieces{"no", "[", "SEP", "]", "no"}));
}

TEST(WordPiece, WordsOfMoreThanAHundredCharactersAreUnknown) {
  EXPECT_EQ(small().pieces("h" + std::string(99, 'e')).size(), 100u);
  EXPECT_EQ(small().pieces("h" + std::string(100, 'e')), (Pieces{"[UNK]"}));
  std::string accents = "h";
  for (int i = 0; i < 99; ++i) accents += "é";
  EXPECT_EQ(small().pieces(accents).size(), 100u) << "characters are counted, not bytes";
}

TEST(WordPiece, BytesThatAreNotUtf8AreDropped) {
  EXPECT_EQ(small().pieces("n\xFFo"), (Pieces{"no"}));
  EXPECT_EQ(small().pieces("no\xE2\x82"), (Pieces{"no"}));
  EXPECT_EQ(small().pieces("no\xED\xA0\x80 no"), (Pieces{"no", "no"})) << "a surrogate";
  EXPECT_EQ(small().pieces("\xC0\xAE\xF5"), Pieces{}) << "overlong, and beyond Unicode";
  BasicOptions raw;
  raw.clean_text = false;
  EXPECT_EQ(normalise("a\xE2\x82z", raw), "a\uFFFDz") << "one for a maximal part";
}

TEST(WordPiece, OptionsOfTheNormaliser) {
  EXPECT_EQ(normalise(std::string_view("\xC3\x89\0x", 4), {}), "ex");
  BasicOptions cased;
  cased.do_lower_case = false;
  EXPECT_EQ(normalise("É", cased), "É");
  cased.strip_accents = true;
  EXPECT_EQ(normalise("É", cased), "E");
  BasicOptions accented;
  accented.strip_accents = false;
  EXPECT_EQ(normalise("É", accented), "é");
  accented.tokenize_chinese_chars = false;
  EXPECT_EQ(normalise("脳CT", accented), "脳ct");
  EXPECT_EQ(normalise("脳CT", {}), " 脳 ct");
  EXPECT_EQ(split_words("a-b  c."), (Views{"a", "-", "b", "c", "."}));
}

TEST(WordPiece, VocabularyLines) {
  const auto vocabulary = Vocabulary::from_lines("v", "a\r\nb\n\nc");
  EXPECT_EQ(vocabulary.pieces(), (Pieces{"a", "b", "", "c"}));
  EXPECT_EQ(vocabulary.id("c"), 3);
  EXPECT_EQ(Vocabulary::from_lines("v", vocabulary.lines()).pieces(), vocabulary.pieces());
  EXPECT_EQ(Vocabulary("v", {"a", "b", "a"}).id("a"), 2);
}

TEST(WordPiece, VocabularyErrors) {
  expect_error([] { Vocabulary::from_lines("v", ""); }, ErrorKind::data, "[vocabulary] v holds no pieces");
  expect_error(
      [] {
        Vocabulary("v", {"a", "\xFF"});
      },
      ErrorKind::data, "[vocabulary] piece 1 of v is not UTF-8: is it a vocabulary?");
  expect_error([] { WordPieceTokenizer::from_contents("v", "[UNK]\n[CLS]\n"); }, ErrorKind::data,
               "[vocabulary] v has no piece [SEP]: is it a vocabulary of BERT's WordPiece?");
  expect_error([] { (void)small().vocabulary().piece(99); }, ErrorKind::data,
               "[vocabulary] vocab.txt has no piece number 99: it has 16");
}

std::string described(const std::string& normaliser, const std::string& added = "[]",
                      const std::string& model = R"("type": "WordPiece",)") {
  return R"({"added_tokens": )" + added + R"(, "normalizer": {"type": "BertNormalizer")" + normaliser +
         R"(}, "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": {)" + model +
         R"( "unk_token": "[UNK]", "max_input_chars_per_word": 3,
             "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "É": 3, "##É": 4, "x": 7}}})";
}

TEST(WordPiece, ReadsATokenizerDescribedInJson) {
  const auto tokenizer = WordPieceTokenizer::from_contents(
      "tokenizer.json", described(R"(, "lowercase": false, "strip_accents": null)",
                                  R"([{"id": 8, "content": "[MASK]", "normalized": false}])"));
  EXPECT_EQ(tokenizer.encode("ÉÉ x[MASK] ÉÉÉÉ", 10), (std::vector<std::int32_t>{1, 3, 4, 7, 8, 0, 2}));
  EXPECT_EQ(tokenizer.vocabulary().size(), 9);
}

TEST(WordPiece, RefusesOtherTokenizersInJson) {
  const auto read = [](const std::string& contents) {
    return [contents] { WordPieceTokenizer::from_contents("tokenizer.json", contents); };
  };
  const std::string hint = ": only BERT's WordPiece tokenizer is read";
  expect_error(read("{"), ErrorKind::data, "[tokenizer] tokenizer.json: is not JSON" + hint);
  expect_error(read("{}"), ErrorKind::data, "[tokenizer] tokenizer.json: has no object 'model'" + hint);
  expect_error(read(described("", "[]", R"("type": "BPE",)")), ErrorKind::data,
               "[tokenizer] tokenizer.json: its 'model' is not of type WordPiece" + hint);
  expect_error(read(described(R"(, "lowercase": 1)")), ErrorKind::data,
               "[tokenizer] tokenizer.json: 'lowercase' is not true or false" + hint);
  expect_error(read(described("", R"([{"id": 9, "content": "<image>"}])")), ErrorKind::data,
               "[tokenizer] tokenizer.json: the added token '<image>' is not one of BERT's" + hint);
  expect_error(read(described("", R"([{"id": 99999999, "content": "[PAD]"}])")), ErrorKind::data,
               "[tokenizer] tokenizer.json: the number of a piece is not one below 1012" + hint);
  expect_error(read(described("", R"([{"id": 3, "content": "[PAD]"}])")), ErrorKind::data,
               "[tokenizer] tokenizer.json: two pieces have the number 3" + hint);
}

}  // namespace
}  // namespace strata::text
