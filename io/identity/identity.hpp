// SPDX-License-Identifier: Apache-2.0
//
// Pseudonyms: what stands in shards instead of identifiers. HMAC-SHA256 (RFC 2104, FIPS 198-1; OpenSSL) under a key of
// 256 bits that stays with the hospital. The same key and identifier give the same pseudonym on any rank, in any run,
// so sets made later still join; without the key nobody can compute or check one. Pseudonymisation, not anonymity: who
// holds the key can find a patient again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace strata::io {

// What an identifier names. Equal texts of two kinds have unrelated pseudonyms. Values are part of the key's contract.
enum class IdentityKind : std::uint8_t { patient = 1, study = 2, series = 3, instance = 4, description = 5 };

class IdentityKey {
 public:
  static constexpr std::size_t kBytes = 32;
  static constexpr std::size_t kPseudonymLength = 32;  // hexadecimal digits: 128 bits of the HMAC

  // The key of a file, which must be a regular file that its owner alone can read (mode 0600 or 0400).
  static IdentityKey load(const std::string& path);
  // A new key from the operating system's random numbers in a new file of mode 0600. A file that exists: error.
  static IdentityKey create(const std::string& path);
  // load() or create(). A path inside `output` (where the shards go) is refused: the key must not travel with them.
  static IdentityKey load_or_create(const std::string& path, const std::string& output);

  explicit IdentityKey(const std::array<std::byte, kBytes>& bytes);
  ~IdentityKey();  // wipes the key
  IdentityKey(const IdentityKey&) = default;
  IdentityKey& operator=(const IdentityKey&) = default;

  // For handing the key to other ranks of the job, and for nothing else.
  const std::array<std::byte, kBytes>& bytes() const { return bytes_; }

  // Blanks and zero bytes around an identifier (DICOM pads with them) do not count. An empty one: usage error.
  std::string pseudonym(IdentityKind kind, std::string_view identifier) const;
  // 64 bits for descriptions, which need no more: equal texts, equal hashes. Empty text: 0.
  std::uint64_t description_hash(std::string_view text) const;

 private:
  std::array<std::byte, kBytes> bytes_;
};

std::array<std::byte, 32> hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);

}  // namespace strata::io
