// SPDX-License-Identifier: Apache-2.0
#include "io/hdf5/shared_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kLargestCall = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call

int open_retrying(const std::string& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

std::string_view hint_for(int code) {
  if (code == ENOSPC || code == EDQUOT) return "free some space, or write elsewhere";
  if (code == EFBIG) return "the limit on file sizes is too small (ulimit -f): raise it";
  if (code == ENOENT) return "do all ranks see the same folder?";
  return "check that the folder exists and may be written to";
}

}  // namespace

SharedFile::SharedFile(std::string subject, std::string path, int descriptor, bool made)
    : subject_(std::move(subject)), path_(std::move(path)), descriptor_(descriptor), made_(made) {
  if (descriptor_ < 0) give_up(errno, made_ ? "create" : "open");
}

SharedFile::SharedFile(SharedFile&& other) noexcept
    : subject_(std::move(other.subject_)),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      made_(std::exchange(other.made_, false)) {}

SharedFile::~SharedFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (made_) ::unlink(path_.c_str());
}

// A leftover is unlinked, not emptied: whoever still has it open then writes to a file without a name.
SharedFile SharedFile::create(std::string subject, std::string path, std::uint64_t bytes) {
  ::unlink(path.c_str());
  const int descriptor = open_retrying(path, O_WRONLY | O_CREAT | O_EXCL);
  SharedFile file(std::move(subject), std::move(path), descriptor, true);
  file.take_room(bytes);
  return file;
}

SharedFile SharedFile::join(std::string subject, std::string path) {
  const int descriptor = open_retrying(path, O_WRONLY);
  return SharedFile(std::move(subject), std::move(path), descriptor, false);
}

void SharedFile::take_room(std::uint64_t bytes) {
  int result = 0;
  do {
    result = ::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS) give_up(errno, "make room for");
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) give_up(errno, "make room for");
}

void SharedFile::give_up(int code, std::string_view doing) const {
  fail(ErrorKind::environment, subject_,
       fmt::format("cannot {} {}: {}", doing, printable(path_, 400), std::generic_category().message(code)),
       hint_for(code));
}

void SharedFile::write(std::uint64_t at, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto put = ::pwrite(descriptor_, bytes.data(), std::min(bytes.size(), kLargestCall), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) give_up(put < 0 ? errno : ENOSPC, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    at += static_cast<std::uint64_t>(put);
  }
}

void SharedFile::flush() {
  if (::fsync(descriptor_) != 0) give_up(errno, "flush");
}

void SharedFile::rename(const std::string& path) {
  flush();
  if (::rename(path_.c_str(), path.c_str()) != 0) give_up(errno, "rename");
  made_ = false;
  flush_folder(std::filesystem::path(path).parent_path().string());
}

void flush_folder(const std::string& folder) {
  const int descriptor = open_retrying(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace strata::io
