// SPDX-License-Identifier: Apache-2.0
#include "io/metrics/append_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "strata/io/text.hpp"

namespace strata::io {

AppendFile::AppendFile(std::string path, Open how) : path_(std::move(path)) {
  const int mode = how == Open::create ? O_EXCL : 0;
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | mode, 0666);
  if (descriptor_ < 0)
    fail(ErrorKind::environment, "metrics",
         fmt::format("{} cannot be opened for writing: {}", printable(path_, 400), std::strerror(errno)),
         "is there such a folder, and may you write in it?");
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::write(std::string_view record) {
  struct stat before {};
  if (::fstat(descriptor_, &before) != 0) return warn(errno);
  for (std::string_view rest = record; !rest.empty();) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int code = count < 0 ? errno : ENOSPC;
      // If even this fails the file ends in a torn record, which readers pass over.
      if (rest.size() < record.size() && ::ftruncate(descriptor_, before.st_size) != 0) warn(errno);
      return warn(code);
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

void AppendFile::sync() {
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) warn(errno);  // a pipe has no disk
}

void AppendFile::cut_behind_last(char end) {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return;
  std::array<char, 4096> block{};
  for (off_t top = status.st_size; top > 0;) {
    const off_t from = std::max<off_t>(0, top - static_cast<off_t>(block.size()));
    const ssize_t count = ::pread(descriptor_, block.data(), static_cast<std::size_t>(top - from), from);
    if (count != top - from) return;
    const std::string_view text(block.data(), static_cast<std::size_t>(count));
    const auto at = text.rfind(end);
    const off_t whole = at == std::string_view::npos ? 0 : from + static_cast<off_t>(at) + 1;
    if (at == std::string_view::npos && from > 0) {
      top = from;
      continue;
    }
    if (whole < status.st_size && ::ftruncate(descriptor_, whole) != 0) warn(errno);
    return;
  }
}

void AppendFile::warn(int code) {
  if (warned_) return;
  warned_ = true;
  log(LogLevel::warning, "metrics",
      fmt::format("{} could not be written: {}; the run goes on, and so do attempts", printable(path_, 400),
                  std::strerror(code)));
}

}  // namespace strata::io
