// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <limits>

#include "io/identity/identity.hpp"
#include "strata/base/error.hpp"

namespace strata::io {

std::array<std::byte, 32> hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
  STRATA_CHECK(key.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()), usage, "identity",
               "a key of more than 2 GiB");
  std::array<std::byte, 32> digest{};
  unsigned int size = 0;
  const std::byte nothing{};  // OpenSSL takes a null key for "the key of last time"
  const unsigned char* made = HMAC(EVP_sha256(), key.empty() ? &nothing : key.data(), static_cast<int>(key.size()),
                                   reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                                   reinterpret_cast<unsigned char*>(digest.data()), &size);
  STRATA_CHECK(made != nullptr && size == digest.size(), environment, "identity",
               "the library OpenSSL could not compute HMAC-SHA256", "is SHA-256 switched off by a provider setting?");
  return digest;
}

}  // namespace strata::io
