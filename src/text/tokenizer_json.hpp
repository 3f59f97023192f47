// SPDX-License-Identifier: Apache-2.0
//
// Hugging Face's tokenizer.json, as far as it describes a BERT tokenizer.
#pragma once

#include <string>
#include <string_view>

#include "strata/text/wordpiece.hpp"

namespace strata::text {

struct DescribedTokenizer {
  Vocabulary vocabulary;
  WordPieceOptions options;
};

// Settings that the file does not name stay as they are in `options`.
DescribedTokenizer read_tokenizer_json(const std::string& name, std::string_view contents, WordPieceOptions options);

}  // namespace strata::text
