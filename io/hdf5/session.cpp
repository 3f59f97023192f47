// SPDX-License-Identifier: Apache-2.0
#include "io/hdf5/session.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <system_error>

#include "io/hdf5/check.hpp"
#include "strata/io/text.hpp"

namespace strata::io::hdf5 {
namespace {

std::recursive_mutex& process_lock() {
  static std::recursive_mutex lock;
  return lock;
}

// The first entry of an upward walk is the innermost.
herr_t keep_first(unsigned, const H5E_error2_t* entry, void* into) {
  auto& text = *static_cast<std::string*>(into);
  if (text.empty() && entry->desc != nullptr) text = entry->desc;
  return 0;
}

// HDF5's drivers write "..., errno = 28, error message = '...'".
int errno_in(std::string_view text) {
  constexpr std::string_view kMark = "errno = ";
  const auto at = text.find(kMark);
  int code = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + kMark.size(), text.data() + text.size(), code);
  return code;
}

std::string_view hint_for(int code) {
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) return "free some space, or write elsewhere";
  if (code == ENOENT || code == ENOTDIR) return "check the path";
  if (code == EACCES || code == EPERM || code == EROFS) return "check the permissions of the file and its folder";
  return "h5dump -H shows what HDF5 can make of the file";
}

}  // namespace

Session::Session() : lock_(process_lock()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

void fail_with_stack(ErrorKind kind, std::string_view doing, const std::string& file, std::source_location where) {
  std::string innermost;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &innermost);
  H5Eclear2(H5E_DEFAULT);
  const int code = errno_in(innermost);
  const std::string reason = code != 0           ? std::generic_category().message(code)
                             : innermost.empty() ? std::string("HDF5 gives no reason")
                                                 : innermost;
  const bool absent = code == ENOENT || code == ENOTDIR;
  if (code != 0) kind = absent ? ErrorKind::data : ErrorKind::environment;
  fail(kind, "hdf5", fmt::format("cannot {} of {}: {}", doing, printable(file, 400), reason), hint_for(code), where);
}

}  // namespace strata::io::hdf5
