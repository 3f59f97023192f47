// SPDX-License-Identifier: Apache-2.0
//
// Lists of texts as one text, each with its length before it: what ranks exchange.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace strata::ingest {

inline void append(std::string& list, std::string_view item) {
  const std::uint64_t size = item.size();
  list.append(reinterpret_cast<const char*>(&size), sizeof size);
  list.append(item);
}

// The items of a list that `append` made; f(std::string_view).
template <class F>
void each_item(std::string_view list, const F& f) {
  while (!list.empty()) {
    std::uint64_t size = 0;
    std::memcpy(&size, list.data(), sizeof size);
    f(list.substr(sizeof size, size));
    list.remove_prefix(sizeof size + size);
  }
}

inline std::vector<std::string> items(std::string_view list) {
  std::vector<std::string> all;
  each_item(list, [&](std::string_view item) { all.emplace_back(item); });
  return all;
}

}  // namespace strata::ingest
