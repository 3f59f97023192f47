// SPDX-License-Identifier: Apache-2.0
#include "strata/io/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kLargestCall = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call
constexpr std::size_t kPartsACall = 64;

std::string reason(int code) { return std::generic_category().message(code); }

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int descriptor = -1;
  do {
    descriptor = ::open(path, flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

}  // namespace

struct InputFile::Source {
  int descriptor = -1;
  std::span<const std::byte> bytes;

  Source(int descriptor_, std::span<const std::byte> bytes_) : descriptor(descriptor_), bytes(bytes_) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

InputFile::InputFile(std::string subject, std::string path) : subject_(std::move(subject)), path_(std::move(path)) {
  // Without O_NONBLOCK a named pipe would hang here.
  const int descriptor = open_retrying(path_.c_str(), O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) {
    const int code = errno;
    const bool absent = code == ENOENT || code == ENOTDIR;
    fail(absent ? ErrorKind::data : ErrorKind::environment, subject_,
         fmt::format("cannot open {}: {}", printable(path_, 400), reason(code)),
         absent ? "check the path" : "check the file's permissions");
  }
  source_ = std::make_shared<const Source>(descriptor, std::span<const std::byte>());
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  STRATA_CHECK(regular, data, subject_, fmt::format("{} is not a regular file", printable(path_, 400)));
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::InputFile(std::string subject, std::string name, std::span<const std::byte> bytes)
    : subject_(std::move(subject)),
      path_(std::move(name)),
      source_(std::make_shared<const Source>(-1, bytes)),
      size_(bytes.size()) {}

void InputFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  STRATA_CHECK(
      offset <= size_ && into.size() <= size_ - offset, data, subject_,
      fmt::format("{} has {} bytes, {} were wanted at byte {}", printable(path_, 400), size_, into.size(), offset));
  if (into.empty()) return;
  if (source_->descriptor < 0) {
    std::memcpy(into.data(), source_->bytes.data() + offset, into.size());
    return;
  }
  while (!into.empty()) {
    const auto got =
        ::pread(source_->descriptor, into.data(), std::min(into.size(), kLargestCall), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(ErrorKind::environment, subject_, fmt::format("cannot read {}: {}", printable(path_, 400), reason(errno)));
    STRATA_CHECK(got > 0, data, subject_, fmt::format("{} became shorter while it was read", printable(path_, 400)),
                 "another program is writing it");
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

void InputFile::read(std::uint64_t offset, std::span<const std::span<std::byte>> into) const {
  if (source_->descriptor < 0 || into.size() == 1) {
    for (const auto part : into) {
      read(offset, part);
      offset += part.size();
    }
    return;
  }
  std::array<iovec, kPartsACall> parts;
  for (std::size_t first = 0; first < into.size();) {
    std::size_t count = 0, bytes = 0;
    while (count < parts.size() && first + count < into.size() && bytes < kLargestCall) {
      const auto part = into[first + count];
      parts[count++] = {.iov_base = part.data(), .iov_len = part.size()};
      bytes += part.size();
    }
    // What a call leaves over (a signal, a part that is too large, the end of the file) is read part by part, with its
    // errors.
    const auto got = ::preadv(source_->descriptor, parts.data(), static_cast<int>(count), static_cast<off_t>(offset));
    if (got < 0 || static_cast<std::size_t>(got) != bytes)
      for (std::size_t i = 0, at = 0; i < count; at += into[first + i++].size()) read(offset + at, into[first + i]);
    first += count;
    offset += bytes;
  }
}

OutputFile::OutputFile(std::string subject, std::string path) : subject_(std::move(subject)), path_(std::move(path)) {
  create();
}

void OutputFile::create() {
  const std::filesystem::path target(path_);
  for (int attempt = 0;; ++attempt) {
    temporary_ =
        (target.parent_path() / fmt::format(".{}.{}.{}.tmp", target.filename().string(), ::getpid(), attempt)).string();
    descriptor_ = open_retrying(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (descriptor_ >= 0) return;
    if (errno == EEXIST && attempt < 1000) continue;
    const int code = errno;
    temporary_.clear();
    give_up(code, "create");
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::give_up(int code, std::string_view doing) const {
  const std::string_view hint = code == ENOSPC || code == EDQUOT ? "free some space, or write elsewhere"
                                : code == ENOENT                 ? "create the folder first"
                                                                 : "check that the folder exists and may be written to";
  const std::string after = written_ > 0 ? fmt::format(" (after {} bytes)", written_) : std::string();
  fail(ErrorKind::environment, subject_,
       fmt::format("cannot {} {}: {}{}", doing, printable(path_, 400), reason(code), after), hint);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto put = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kLargestCall));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) give_up(errno, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    written_ += static_cast<std::uint64_t>(put);
  }
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) give_up(errno, "flush");
  const int closed = ::close(descriptor_);
  const int code = errno;
  descriptor_ = -1;
  if (closed != 0) give_up(code, "close");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) give_up(errno, "rename onto");
  temporary_.clear();
  // The rename itself must survive a crash; a file system that cannot flush folders is not an error.
  const auto folder = std::filesystem::path(path_).parent_path();
  const int descriptor = open_retrying(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace strata::io
