// SPDX-License-Identifier: Apache-2.0
//
// BERT's tokenizer: text to numbers of pieces, equal to Hugging Face's BertTokenizerFast
// (strata/text/basic_tokenizer.hpp says where the older BertTokenizer differs). A word is cut into the longest pieces
// the vocabulary has, from its beginning (Wu et al. 2016); inner pieces begin with "##"; a word that cannot be cut so,
// or has more than 100 characters, is [UNK]. Special pieces that stand in the text as such ("[SEP]", capitals and
// brackets) are themselves. Objects are immutable: threads may share one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "strata/text/basic_tokenizer.hpp"
#include "strata/text/vocabulary.hpp"

namespace strata::text {

struct WordPieceOptions {
  BasicOptions basic;
  bool split_special_tokens = false;  // read special pieces in the text like other text
  std::size_t max_input_chars_per_word = 100;
  std::string continuing_subword_prefix = "##";
  std::string unk_token = "[UNK]", cls_token = "[CLS]", sep_token = "[SEP]", pad_token = "[PAD]", mask_token = "[MASK]";
};

class WordPieceTokenizer {
 public:
  // The vocabulary must have unk_token, cls_token and sep_token: data error.
  WordPieceTokenizer(Vocabulary vocabulary, WordPieceOptions options);
  // From the contents of a vocab.txt, or of a tokenizer.json, whose settings then replace `options`; one that is not
  // BERT's (another model, normaliser or splitter, added pieces with rules of their own): data error. `name` is what
  // errors call the file.
  static WordPieceTokenizer from_contents(const std::string& name, std::string_view contents,
                                          WordPieceOptions options = {});

  // [CLS] pieces [SEP]; of more than `context` − 2 pieces the first are taken. A context below 3: usage error.
  std::vector<std::int32_t> encode(std::string_view text, std::int64_t context) const;
  std::vector<std::int32_t> ids(std::string_view text) const;  // all pieces of the text alone
  std::vector<std::string> pieces(std::string_view text) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const WordPieceOptions& options() const { return options_; }
  std::int32_t cls() const { return cls_; }
  std::int32_t sep() const { return sep_; }
  std::int32_t unknown() const { return unknown_; }

 private:
  struct Special {
    std::string text;
    std::int32_t id;
  };
  const Special* special_at(std::string_view text) const;
  void append_plain(std::vector<std::int32_t>& ids, std::string_view text) const;
  void append_word(std::vector<std::int32_t>& ids, std::string_view word) const;

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  std::vector<Special> specials_;
  std::int32_t unknown_ = 0, cls_ = 0, sep_ = 0;
};

}  // namespace strata::text
