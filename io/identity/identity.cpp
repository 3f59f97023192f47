// SPDX-License-Identifier: Apache-2.0
#include "io/identity/identity.hpp"

#include <openssl/crypto.h>

#include <vector>

#include "strata/base/error.hpp"

namespace strata::io {
namespace {

constexpr std::string_view kDomain = "strata identity 1";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kPadding(" \t\r\n\0", 5);
  const auto begin = text.find_first_not_of(kPadding);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kPadding) - begin + 1);
}

// Domain, kind and identifier: the first two have a fixed length, so no two messages are the same by accident.
std::array<std::byte, 32> digest(std::span<const std::byte> key, IdentityKind kind, std::string_view identifier) {
  std::vector<std::byte> message;
  const auto append = [&](std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    message.insert(message.end(), bytes.begin(), bytes.end());
  };
  append(kDomain);
  message.push_back(static_cast<std::byte>(kind));
  append(identifier);
  return hmac_sha256(key, message);
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) {
    text += kDigits[std::to_integer<std::size_t>(b >> 4)];
    text += kDigits[std::to_integer<std::size_t>(b & std::byte{15})];
  }
  return text;
}

}  // namespace

IdentityKey::IdentityKey(const std::array<std::byte, kBytes>& bytes) : bytes_(bytes) {}
IdentityKey::~IdentityKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

std::string IdentityKey::pseudonym(IdentityKind kind, std::string_view identifier) const {
  const auto text = trimmed(identifier);
  STRATA_CHECK(!text.empty(), usage, "identity", "an empty identifier has no pseudonym",
               "give the study's own identifier where a patient's is missing");
  const auto code = digest(bytes_, kind, text);
  return hex(std::span(code).first(kPseudonymLength / 2));
}

std::uint64_t IdentityKey::description_hash(std::string_view text) const {
  text = trimmed(text);
  if (text.empty()) return 0;
  const auto code = digest(bytes_, IdentityKind::description, text);
  std::uint64_t hash = 0;
  for (const std::byte b : std::span(code).first(8)) hash = hash << 8 | std::to_integer<std::uint64_t>(b);
  return hash;
}

}  // namespace strata::io
