// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/strings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace strata::comm {

std::vector<std::string> gather_texts(Communicator& communicator, std::string_view text) {
  const auto size = static_cast<std::size_t>(communicator.size());
  auto length = static_cast<std::int64_t>(text.size());
  Counts lengths(size);
  communicator
      .all_gather(Tensor::borrow(&length, DType::i64, {1}),
                  Tensor::borrow(lengths.data(), DType::i64, {communicator.size()}))
      .wait();
  const auto offsets = row_offsets(lengths);
  std::string mine(text), all(static_cast<std::size_t>(offsets.back()), ' ');
  communicator
      .all_gather(Tensor::borrow(mine.data(), DType::u8, {length}),
                  Tensor::borrow(all.data(), DType::u8, {offsets.back()}), {}, lengths)
      .wait();
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < size; ++r)
    texts.push_back(all.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(lengths[r])));
  return texts;
}

std::string differing_texts(const std::vector<std::string>& texts) {
  std::map<std::string_view, std::vector<std::size_t>> said;
  for (std::size_t r = 0; r < texts.size(); ++r) said[texts[r]].push_back(r);
  if (said.size() == 1) return {};
  std::vector<std::string> parts;
  for (const auto& [text, ranks] : said)
    parts.push_back(fmt::format("{} {} called {}", ranks.size() > 1 ? "ranks" : "rank", fmt::join(ranks, ", "), text));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace strata::comm
