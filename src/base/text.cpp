// SPDX-License-Identifier: Apache-2.0
#include "strata/base/text.hpp"

#include <fmt/format.h>

namespace strata {

std::string printable(std::string_view name, std::size_t limit) {
  std::size_t kept = name.size();
  if (kept > limit) {
    kept = limit;
    while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xc0u) == 0x80u)
      --kept;  // not inside a UTF-8 character
  }
  std::string text = "'";
  for (const char c : name.substr(0, kept)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\'' || c == '\\') {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return kept == name.size() ? text + "'" : fmt::format("{}...' ({} bytes)", text, name.size());
}

}  // namespace strata
