// SPDX-License-Identifier: Apache-2.0
//
// Makes a WordPiece vocabulary from texts, for those who train a text tower from scratch. Byte-pair merges of
// characters (Sennrich et al. 2016) with BERT's "##" on inner pieces, which is what Hugging Face's WordPieceTrainer
// does too: while there is room, the most frequent pair of neighbouring pieces within words becomes a piece (not the
// likelihood ratio of Schuster & Nakajima 2012, which prefers rare pairs). Of equally frequent pairs the one whose
// pieces were made earlier wins, so the result depends on the multiset of words alone. Cost: seconds for a million
// reports' worth of distinct words; memory for one copy of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "strata/text/basic_tokenizer.hpp"
#include "strata/text/vocabulary.hpp"

namespace strata::text {

struct VocabularyOptions {
  BasicOptions basic;
  std::int64_t size = 30522;       // pieces, special ones included
  std::int64_t min_frequency = 2;  // of a pair that is merged
  std::int64_t alphabet = 1000;  // different characters, the most frequent ones; words with others are not learnt from
};

class VocabularyTrainer {
 public:
  explicit VocabularyTrainer(VocabularyOptions options);  // sizes that cannot be: usage error

  void add(std::string_view text);
  std::int64_t texts() const { return texts_; }
  std::int64_t words() const { return words_; }  // read
  std::int64_t distinct_words() const { return static_cast<std::int64_t>(counts_.size()); }

  // [PAD] [UNK] [CLS] [SEP] [MASK], characters by code point, inner characters, merged pieces in the order of merging.
  // No words, or less room than the characters take: data error.
  Vocabulary train(std::string name) const;

 private:
  VocabularyOptions options_;
  std::unordered_map<std::string, std::int64_t> counts_;
  std::int64_t texts_ = 0, words_ = 0;
};

}  // namespace strata::text
