// SPDX-License-Identifier: Apache-2.0
//
// A key file is one line: "strata-identity-key 1 " and 64 hexadecimal digits.
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "io/identity/identity.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::io {
namespace {

constexpr std::string_view kHead = "strata-identity-key 1 ";
constexpr std::size_t kFileBytes = kHead.size() + 2 * IdentityKey::kBytes + 1;
using FileText = std::array<char, kFileBytes>;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void bad(ErrorKind kind, const std::string& path, std::string_view what, std::string_view hint) {
  fail(kind, "identity", fmt::format("key file {} {}", printable(path, 400), what), hint);
}

[[noreturn]] void cannot(const std::string& path, std::string_view what, int code) {
  bad(ErrorKind::environment, path, fmt::format("cannot be {}: {}", what, std::strerror(code)),
      "check the folder, its permissions and the space left");
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

IdentityKey parse(const std::string& path, const FileText& text) {
  const std::string_view view(text.data(), text.size());
  std::array<std::byte, IdentityKey::kBytes> bytes{};
  bool right = view.starts_with(kHead) && view.back() == '\n';
  for (std::size_t i = 0; right && i < bytes.size(); ++i) {
    const int high = digit_value(view[kHead.size() + 2 * i]), low = digit_value(view[kHead.size() + 2 * i + 1]);
    right = high >= 0 && low >= 0;
    bytes[i] = static_cast<std::byte>(16 * high + low);
  }
  if (!right) bad(ErrorKind::data, path, "is not a key that Strata made", "name another file, or none to make a key");
  IdentityKey key(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

FileText format(const std::array<std::byte, IdentityKey::kBytes>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  FileText text{};
  char* at = std::ranges::copy(kHead, text.data()).out;
  for (const std::byte b : bytes) {
    *at++ = kDigits[std::to_integer<std::size_t>(b >> 4)];
    *at++ = kDigits[std::to_integer<std::size_t>(b & std::byte{15})];
  }
  *at = '\n';
  return text;
}

void draw(std::span<std::byte> bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (got < 0 && errno == EINTR) continue;
    STRATA_CHECK(got > 0, environment, "identity",
                 fmt::format("the system gives no random numbers: {}", std::strerror(errno)));
    done += static_cast<std::size_t>(got);
  }
}

bool write_all(int file, const FileText& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    done += static_cast<std::size_t>(written);
  }
  return ::fsync(file) == 0;
}

bool is_inside(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto inner = std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  const auto outer = std::filesystem::weakly_canonical(std::filesystem::absolute(folder) / "");
  const auto base = outer.filename().empty() ? outer.parent_path() : outer;
  return std::mismatch(base.begin(), base.end(), inner.begin(), inner.end()).first == base.end();
}

}  // namespace

IdentityKey IdentityKey::load(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) cannot(path, "opened", errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) cannot(path, "examined", errno);
  if (!S_ISREG(status.st_mode)) bad(ErrorKind::usage, path, "is not a regular file", "name a file");
  if ((status.st_mode & 077) != 0)
    bad(ErrorKind::usage, path,
        fmt::format("has mode {:04o}: others than its owner may use it", status.st_mode & 07777),
        "chmod 600 it, and think about who may have read it");
  FileText text{};
  char more = 0;
  const ssize_t got = ::read(file.number(), text.data(), text.size());
  if (got < 0) cannot(path, "read", errno);
  if (got != static_cast<ssize_t>(text.size()) || ::read(file.number(), &more, 1) != 0) text.fill('?');
  IdentityKey key = parse(path, text);
  OPENSSL_cleanse(text.data(), text.size());
  return key;
}

IdentityKey IdentityKey::create(const std::string& path) {
  std::array<std::byte, kBytes> bytes{};
  draw(bytes);
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.number() < 0) cannot(path, "made", errno);
  FileText text = format(bytes);
  const bool written = ::fchmod(file.number(), 0600) == 0 && write_all(file.number(), text);
  const int code = errno;
  OPENSSL_cleanse(text.data(), text.size());
  if (!written) {
    ::unlink(path.c_str());
    cannot(path, "written", code);
  }
  IdentityKey key(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

IdentityKey IdentityKey::load_or_create(const std::string& path, const std::string& output) {
  if (is_inside(path, output))
    bad(ErrorKind::usage, path, fmt::format("lies inside the output folder {}", printable(output, 400)),
        "keep it elsewhere: whoever gets the shards must not get the key");
  std::error_code code;
  const auto status = std::filesystem::symlink_status(path, code);
  return std::filesystem::exists(status) ? load(path) : create(path);
}

}  // namespace strata::io
