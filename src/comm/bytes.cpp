// SPDX-License-Identifier: Apache-2.0
#include "strata/comm/bytes.hpp"

#include <numeric>

#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"

namespace strata::comm {
namespace {

std::int64_t length(const std::string& text) { return static_cast<std::int64_t>(text.size()); }

// Tensors are never written through here where the call only reads.
Tensor bytes_of(std::string& text) { return Tensor::borrow(text.data(), DType::u8, {length(text)}); }

std::vector<std::string> cut(const std::string& all, const Counts& lengths) {
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (const auto count : lengths) {
    texts.push_back(all.substr(begin, static_cast<std::size_t>(count)));
    begin += static_cast<std::size_t>(count);
  }
  return texts;
}

std::string room_for(const Counts& lengths) {
  return std::string(static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})), '\0');
}

Tensor counts_tensor(Counts& counts) {
  return Tensor::borrow(counts.data(), DType::i64, {static_cast<std::int64_t>(counts.size())});
}

}  // namespace

std::vector<std::string> gather_texts(Communicator& group, const std::string& mine) {
  Counts lengths(static_cast<std::size_t>(group.size())), own{length(mine)};
  group.all_gather(counts_tensor(own), counts_tensor(lengths)).wait();
  std::string given = mine, all = room_for(lengths);
  if (!all.empty()) group.all_gather(bytes_of(given), bytes_of(all), {}, lengths).wait();
  return cut(all, lengths);
}

std::vector<std::string> exchange_texts(Communicator& group, const std::vector<std::string>& texts) {
  const auto ranks = static_cast<std::size_t>(group.size());
  STRATA_CHECK(texts.size() == ranks, usage, "exchange",
               std::to_string(texts.size()) + " texts for " + std::to_string(ranks) + " ranks");
  Counts sent, got(ranks);
  std::string given;
  for (const auto& text : texts) {
    sent.push_back(length(text));
    given += text;
  }
  const Counts one(ranks, 1);
  group.all_to_all(counts_tensor(sent), one, counts_tensor(got), one).wait();
  std::string all = room_for(got);
  group.all_to_all(bytes_of(given), sent, bytes_of(all), got).wait();
  return cut(all, got);
}

std::string broadcast_text(Communicator& group, std::string text, int root) {
  Counts size{length(text)};
  group.broadcast(counts_tensor(size), root).wait();
  text.resize(static_cast<std::size_t>(size.front()));
  if (!text.empty()) group.broadcast(bytes_of(text), root).wait();
  return text;
}

}  // namespace strata::comm
