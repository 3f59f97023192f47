// SPDX-License-Identifier: Apache-2.0
#include "strata/text/wordpiece_training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <queue>
#include <set>

#include "strata/base/error.hpp"
#include "text/unicode.hpp"

namespace strata::text {
namespace {

constexpr std::string_view kInner = "##";
constexpr std::array<std::string_view, 5> kSpecial{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

using Counted = std::pair<std::string, std::int64_t>;
using Pair = std::pair<std::int32_t, std::int32_t>;

struct Word {
  std::vector<std::int32_t> pieces;
  std::int64_t count = 0;
};

std::vector<std::string_view> characters_of(std::string_view word) {
  const auto offsets = character_offsets(word);
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    out.push_back(word.substr(offsets[i], offsets[i + 1] - offsets[i]));
  return out;
}

// The most frequent characters. UTF-8 sorts like code points do.
std::set<std::string_view> alphabet_of(const std::vector<Counted>& words, std::int64_t limit) {
  std::map<std::string_view, std::int64_t> counts;
  for (const auto& [word, count] : words)
    for (const auto character : characters_of(word)) counts[character] += count;
  std::vector<std::pair<std::string_view, std::int64_t>> ranked(counts.begin(), counts.end());
  std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.second > b.second; });
  ranked.resize(std::min(ranked.size(), static_cast<std::size_t>(limit)));
  std::set<std::string_view> alphabet;
  for (const auto& [character, count] : ranked) alphabet.insert(character);
  return alphabet;
}

// The pieces so far, and words as sequences of them.
class Merging {
 public:
  Merging(const std::vector<Counted>& words, const std::set<std::string_view>& alphabet) {
    for (const auto token : kSpecial) piece(std::string(token));
    for (const auto character : alphabet) piece(std::string(character));
    add_inner_characters(words, alphabet);
    for (const auto& [word, count] : words) add_word(word, count, alphabet);
    for (std::size_t i = 0; i < words_.size(); ++i) count_pairs(i, 1);
    push_grown();
  }

  std::size_t size() const { return pieces_.size(); }
  std::vector<std::string> take() { return std::move(pieces_); }

  // Makes the most frequent pair one piece; false when none occurs `least` times.
  bool merge(std::int64_t least) {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const auto at = pairs_.find(best.pair);
      const std::int64_t count = at == pairs_.end() ? 0 : at->second.count;
      if (count != best.count) {  // it has become rarer since
        if (count > 0) queue_.push({count, best.pair});
        continue;
      }
      if (count < least) return false;
      replace(best.pair, at->second.words);
      return true;
    }
    return false;
  }

 private:
  struct Candidate {
    std::int64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };
  struct Occurrences {
    std::int64_t count = 0;
    std::set<std::size_t> words;  // that have or had the pair
  };

  std::int32_t piece(const std::string& text) {
    const auto [at, fresh] = ids_.try_emplace(text, static_cast<std::int32_t>(pieces_.size()));
    if (fresh) pieces_.push_back(text);
    return at->second;
  }

  void add_inner_characters(const std::vector<Counted>& words, const std::set<std::string_view>& alphabet) {
    std::set<std::string_view> inner;
    for (const auto& [word, count] : words) {
      const auto characters = characters_of(word);
      inner.insert(characters.begin() + 1, characters.end());
    }
    for (const auto character : inner)
      if (alphabet.contains(character)) piece(std::string(kInner) + std::string(character));
  }

  void add_word(const std::string& text, std::int64_t count, const std::set<std::string_view>& alphabet) {
    Word word{.pieces = {}, .count = count};
    for (const auto character : characters_of(text)) {
      if (!alphabet.contains(character)) return;
      word.pieces.push_back(piece(std::string(word.pieces.empty() ? "" : kInner) + std::string(character)));
    }
    words_.push_back(std::move(word));
  }

  void count_pairs(std::size_t index, std::int64_t sign) {
    const Word& word = words_[index];
    for (std::size_t i = 0; i + 1 < word.pieces.size(); ++i) {
      const Pair pair{word.pieces[i], word.pieces[i + 1]};
      Occurrences& occurrences = pairs_[pair];
      occurrences.count += sign * word.count;
      if (sign < 0) continue;
      occurrences.words.insert(index);
      grown_.insert(pair);
    }
  }

  void push_grown() {
    for (const auto& pair : grown_) queue_.push({pairs_[pair].count, pair});
    grown_.clear();
  }

  void replace(const Pair pair, const std::set<std::size_t>& where) {
    const std::set<std::size_t> words = where;  // counting again changes it
    const std::string second = pieces_[static_cast<std::size_t>(pair.second)].substr(kInner.size());
    const std::int32_t merged = piece(pieces_[static_cast<std::size_t>(pair.first)] + second);
    for (const std::size_t index : words) {
      count_pairs(index, -1);
      auto& pieces = words_[index].pieces;
      std::vector<std::int32_t> shorter;
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        const bool here = i + 1 < pieces.size() && Pair{pieces[i], pieces[i + 1]} == pair;
        shorter.push_back(here ? merged : pieces[i]);
        i += here ? 1 : 0;
      }
      pieces = std::move(shorter);
      count_pairs(index, 1);
    }
    pairs_.erase(pair);
    grown_.erase(pair);
    push_grown();
  }

  std::vector<std::string> pieces_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::vector<Word> words_;
  std::map<Pair, Occurrences> pairs_;
  std::set<Pair> grown_;  // pairs whose candidate in the queue may say too little
  std::priority_queue<Candidate> queue_;
};

}  // namespace

VocabularyTrainer::VocabularyTrainer(VocabularyOptions options) : options_(std::move(options)) {
  STRATA_CHECK(options_.size > static_cast<std::int64_t>(kSpecial.size()) && options_.size <= 10'000'000, usage,
               "vocabulary", fmt::format("a vocabulary of {} pieces", options_.size), "choose 1,000 to 100,000");
  STRATA_CHECK(options_.min_frequency > 0 && options_.alphabet > 0, usage, "vocabulary",
               fmt::format("a least frequency of {} and {} characters: neither may be 0 or less",
                           options_.min_frequency, options_.alphabet));
}

void VocabularyTrainer::add(std::string_view text) {
  ++texts_;
  const std::string normalised = normalise(text, options_.basic);
  for (const auto word : split_words(normalised)) {
    ++words_;
    ++counts_[std::string(word)];
  }
}

Vocabulary VocabularyTrainer::train(std::string name) const {
  std::vector<Counted> words(counts_.begin(), counts_.end());
  STRATA_CHECK(!words.empty(), data, "vocabulary", fmt::format("there is no word in {} texts", texts_), "give reports");
  std::ranges::sort(words);
  Merging merging(words, alphabet_of(words, options_.alphabet));
  const auto room = static_cast<std::size_t>(options_.size);
  STRATA_CHECK(merging.size() <= room, data, "vocabulary",
               fmt::format("the characters alone are {} pieces, the vocabulary is to have {}", merging.size(), room),
               "ask for more pieces or a smaller alphabet");
  while (merging.size() < room && merging.merge(options_.min_frequency)) continue;
  return {std::move(name), merging.take()};
}

}  // namespace strata::text
