// SPDX-License-Identifier: Apache-2.0
//
// The tokenizer against Hugging Face's on every code point and on 12,000 generated strings, of which tests and
// tools/make_tokenizer_golden.py keep the seeds and checksums.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "strata/text/wordpiece.hpp"
#include "text/unicode.hpp"

namespace strata {
namespace {

using Json = nlohmann::json;
using Range = std::array<std::uint32_t, 2>;

const Json& golden() {
  static const Json json = Json::parse(std::ifstream(std::string(STRATA_GOLDEN_DATA) + "/tokenizer.json"));
  return json;
}

class Draws {  // splitmix64
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}

  std::uint64_t below(std::uint64_t n) {
    state_ += 0x9E3779B97F4A7C15ull;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (((z ^ (z >> 31)) >> 32) * n) >> 32;
  }

  template <class T>
  const T& of(const std::vector<T>& values) {
    return values[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

class Checksum {  // FNV-1a
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  std::string hex() const { return fmt::format("{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ull;
};

std::string utf8(std::uint32_t code) { return text::to_utf8(std::u32string(1, static_cast<char32_t>(code))); }

bool inside(const std::vector<Range>& ranges, std::uint32_t code) {
  return std::ranges::any_of(ranges, [code](const Range& range) { return range[0] <= code && code <= range[1]; });
}

class Generator {
 public:
  Generator()
      : words_(golden().at("words")),
        adversarial_(golden().at("adversarial")),
        separators_(golden().at("separators")),
        agreed_(golden().at("agreed_ranges")) {
    const std::vector<Range> later = golden().at("later_capitals");
    for (std::uint32_t code = 0; code < 0x110000; ++code) {
      if ((0xD800 <= code && code < 0xE000) || inside(later, code)) continue;
      if (!all_.empty() && all_.back()[1] + 1 == code)
        all_.back()[1] = code;
      else
        all_.push_back({code, code});
    }
  }

  std::string text(std::uint64_t index) const {
    Draws draws(index);
    std::string text;
    const std::uint64_t parts = 1 + draws.below(20);
    for (std::uint64_t i = 0; i < parts; ++i) {
      append_part(text, draws, index < golden().at("agreed_strings").get<std::uint64_t>() ? agreed_ : all_);
      text += draws.of(separators_);
    }
    return text;
  }

 private:
  static std::string character(Draws& draws, const std::vector<Range>& ranges) {
    const Range& range = draws.of(ranges);
    return utf8(range[0] + static_cast<std::uint32_t>(draws.below(range[1] - range[0] + 1)));
  }

  void append_part(std::string& text, Draws& draws, const std::vector<Range>& ranges) const {
    const std::uint64_t kind = draws.below(8);
    if (kind <= 2) {
      text += draws.of(words_);
    } else if (kind == 3) {
      for (std::uint64_t left = 1 + draws.below(6); left > 0; --left) text += character(draws, ranges);
    } else if (kind == 4) {
      text += draws.of(adversarial_);
    } else if (kind == 5) {
      for (std::uint64_t left = 1 + draws.below(8); left > 0; --left) text += static_cast<char>(32 + draws.below(95));
    } else if (kind == 6 && draws.below(4) == 0) {
      const std::string one = character(draws, ranges);
      for (std::uint64_t left = 90 + draws.below(20); left > 0; --left) text += one;
    }
  }

  std::vector<std::string> words_, adversarial_, separators_;
  std::vector<Range> agreed_, all_;
};

text::WordPieceTokenizer tokenizer_of(const Json& configuration) {
  text::WordPieceOptions options;
  options.basic.do_lower_case = configuration.at("do_lower_case");
  options.basic.tokenize_chinese_chars = configuration.at("tokenize_chinese_chars");
  if (!configuration.at("strip_accents").is_null()) options.basic.strip_accents = configuration.at("strip_accents");
  return {text::Vocabulary("golden", golden().at("vocabulary")), options};
}

TEST(Tokenizer, GeneratorsAgree) {
  const Generator generator;
  const std::vector<std::string> texts = golden().at("texts");
  for (std::size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(generator.text(i), texts[i]) << i;
}

TEST(Tokenizer, EqualsHuggingFaceOnStringsKeptInFull) {
  const Json& configuration = golden().at("configurations").at(0);
  const auto tokenizer = tokenizer_of(configuration);
  const std::vector<std::string> texts = golden().at("texts");
  const std::vector<std::vector<std::int32_t>> theirs = configuration.at("ids");
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(tokenizer.encode(texts[i], golden().at("context")), theirs[i]) << i << ": " << texts[i];
}

TEST(Tokenizer, EqualsHuggingFaceOnGeneratedStrings) {
  const Generator generator;
  const auto block = golden().at("block").get<std::size_t>();
  for (const Json& configuration : golden().at("configurations")) {
    const auto tokenizer = tokenizer_of(configuration);
    const std::vector<std::string> theirs = configuration.at("checksums");
    ASSERT_EQ(theirs.size() * block, golden().at("strings"));
    for (std::size_t b = 0; b < theirs.size(); ++b) {
      Checksum sum;
      for (std::size_t i = b * block; i < (b + 1) * block; ++i)
        sum.add(fmt::format("{}\n", fmt::join(tokenizer.encode(generator.text(i), golden().at("context")), " ")));
      EXPECT_EQ(sum.hex(), theirs[b]) << "strings from " << b * block << ", lower case "
                                      << configuration.at("do_lower_case");
    }
  }
}

// Every code point alone between two letters: cleaning, ideographs, accents, lower case, punctuation.
TEST(Tokenizer, EqualsHuggingFaceOnEveryCodePoint) {
  const std::vector<Range> later = golden().at("later_capitals");
  std::array<text::BasicOptions, 3> configurations;
  configurations[1].tokenize_chinese_chars = configurations[1].do_lower_case = false;
  configurations[2].strip_accents = false;
  std::map<std::uint32_t, Checksum> sums;
  for (std::uint32_t code = 0; code < 0x110000; ++code) {
    if ((0xD800 <= code && code < 0xE000) || inside(later, code)) continue;
    for (const auto& options : configurations) {
      const std::string normalised = text::normalise("a" + utf8(code) + "b", options);
      sums[code >> 12].add(fmt::format("{}\x1e", fmt::join(text::split_words(normalised), "\x1f")));
    }
  }
  const std::vector<std::pair<std::uint32_t, std::string>> theirs = golden().at("code_point_checksums");
  ASSERT_EQ(sums.size(), theirs.size());
  for (const auto& [block, checksum] : theirs)
    EXPECT_EQ(sums[block].hex(), checksum) << fmt::format("U+{:X} … U+{:X}", block << 12, (block << 12) + 0xFFF);
}

}  // namespace
}  // namespace strata
