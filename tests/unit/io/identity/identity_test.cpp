// SPDX-License-Identifier: Apache-2.0
#include "io/identity/identity.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "strata/base/error.hpp"

namespace strata::io {
namespace {

namespace fs = std::filesystem;

std::string unhex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string hmac_hex(std::string_view key, std::string_view message) {
  const auto code = hmac_sha256(std::as_bytes(std::span(key)), std::as_bytes(std::span(message)));
  std::string text;
  for (const std::byte b : code) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", std::to_integer<unsigned>(b));
    text += two;
  }
  return text;
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

IdentityKey key_of(unsigned char fill) {
  std::array<std::byte, IdentityKey::kBytes> bytes;
  bytes.fill(std::byte{fill});
  return IdentityKey(bytes);
}

class Identity : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("strata_identity_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

TEST(Hmac, EqualsThePublishedVectorsOfRfc4231) {
  EXPECT_EQ(hmac_hex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_hex(std::string(20, '\xaa'), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(hmac_hex(unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd')),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(hmac_hex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hmac_hex(std::string(131, '\xaa'),
                     "This is a test using a larger than block-size key and a larger than block-size data. The key "
                     "needs to be hashed before being used by the HMAC algorithm."),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_F(Identity, PseudonymsAreHmacOfDomainKindAndIdentifier) {
  const IdentityKey key = key_of(7);
  const std::string raw(32, '\x07');
  EXPECT_EQ(key.pseudonym(IdentityKind::study, "1.2.840.1"),
            hmac_hex(raw, std::string("strata identity 1") + '\x02' + "1.2.840.1").substr(0, 32));
  const std::string description = hmac_hex(raw, std::string("strata identity 1") + '\x05' + "AX T1").substr(0, 16);
  EXPECT_EQ(key.description_hash("AX T1 "), std::stoull(description, nullptr, 16));
  EXPECT_EQ(key.description_hash("  "), 0u);
}

TEST_F(Identity, KindsAndKeysAreUnrelatedAndPaddingDoesNotCount) {
  std::set<std::string> all;
  for (const auto fill : {static_cast<unsigned char>(1), static_cast<unsigned char>(2)})
    for (const auto kind : {IdentityKind::patient, IdentityKind::study, IdentityKind::series, IdentityKind::instance})
      all.insert(key_of(fill).pseudonym(kind, "12345"));
  EXPECT_EQ(all.size(), 8u);
  for (const auto& name : all) {
    EXPECT_EQ(name.size(), IdentityKey::kPseudonymLength);
    EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  const IdentityKey key = key_of(1);
  EXPECT_EQ(key.pseudonym(IdentityKind::patient, " 12345\0"), key.pseudonym(IdentityKind::patient, "12345"));
  EXPECT_EQ(key.pseudonym(IdentityKind::patient, std::string("12345\0", 6)),
            key.pseudonym(IdentityKind::patient, "12345"));
  EXPECT_NE(key.pseudonym(IdentityKind::patient, "12345"), key.pseudonym(IdentityKind::patient, "12346"));
  EXPECT_THROW(key.pseudonym(IdentityKind::patient, std::string("  \0", 3)), Error);
}

TEST_F(Identity, MakesAKeyThatItsOwnerAloneCanRead) {
  const auto mask = ::umask(0);
  const IdentityKey made = IdentityKey::create(path("key"));
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat(path("key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777u, 0600u);
  EXPECT_EQ(IdentityKey::load(path("key")).bytes(), made.bytes());
  EXPECT_NE(IdentityKey::create(path("other")).bytes(), made.bytes());
  EXPECT_NE(error_of([&] { IdentityKey::create(path("key")); }).find("cannot be made"), std::string::npos);
  EXPECT_EQ(IdentityKey::load(path("key")).bytes(), made.bytes());
}

TEST_F(Identity, RefusesAKeyThatOthersMayRead) {
  IdentityKey::create(path("key"));
  for (const auto mode : {fs::perms::group_read, fs::perms::others_read, fs::perms::group_write}) {
    fs::permissions(path("key"), fs::perms::owner_read | fs::perms::owner_write | mode);
    const auto text = error_of([&] { IdentityKey::load(path("key")); });
    EXPECT_NE(text.find("others than its owner"), std::string::npos) << text;
  }
  fs::permissions(path("key"), fs::perms::owner_read);
  EXPECT_NO_THROW(IdentityKey::load(path("key")));
}

TEST_F(Identity, RefusesAKeyInsideTheOutputFolder) {
  fs::create_directories(path("shards/deep"));
  fs::create_directory_symlink(path("shards"), path("link"));
  for (const auto* name : {"shards/key", "shards/deep/key", "shards/deep/../key", "link/key", "shards/absent/key"}) {
    const auto text = error_of([&] { IdentityKey::load_or_create(path(name), path("shards")); });
    EXPECT_NE(text.find("inside the output folder"), std::string::npos) << name << ": " << text;
  }
  EXPECT_THROW(IdentityKey::load_or_create(path("key"), folder_.string() + "/"), Error);
  const auto made = IdentityKey::load_or_create(path("key"), path("shards"));
  EXPECT_EQ(IdentityKey::load_or_create(path("key"), path("shards")).bytes(), made.bytes());
  EXPECT_NO_THROW(IdentityKey::load_or_create(path("shards_key"), path("shards")));
}

TEST_F(Identity, RefusesWhatIsNoKey) {
  const auto write = [&](const std::string& text) {
    std::ofstream(path("bad"), std::ios::trunc) << text;
    fs::permissions(path("bad"), fs::perms::owner_read | fs::perms::owner_write);
  };
  const std::string head = "strata-identity-key 1 ";
  for (const auto& text : {std::string(), head, head + std::string(64, 'a'), head + std::string(64, 'g') + "\n",
                           head + std::string(65, 'a') + "\n", head + std::string(64, 'a') + "\nx",
                           "strata-identity-key 2 " + std::string(64, 'a') + "\n"}) {
    write(text);
    const auto error = error_of([&] { IdentityKey::load(path("bad")); });
    EXPECT_NE(error.find("is not a key"), std::string::npos) << text << error;
    EXPECT_EQ(error.find("aaaa"), std::string::npos);
  }
  write(head + std::string(64, 'a') + "\n");
  EXPECT_NO_THROW(IdentityKey::load(path("bad")));
  EXPECT_THROW(IdentityKey::load(folder_.string()), Error);
  EXPECT_THROW(IdentityKey::load(path("absent")), Error);
}

}  // namespace
}  // namespace strata::io
