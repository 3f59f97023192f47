// SPDX-License-Identifier: Apache-2.0
#include "app/small_file.hpp"

#include <fmt/format.h>

#include <span>

#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"

namespace strata::app {

std::string read_small_file(const std::string& subject, const std::string& path) {
  constexpr std::uint64_t kLargest = std::uint64_t{64} << 20;
  const io::InputFile file(subject, path);
  STRATA_CHECK(file.size() <= kLargest, data, subject,
               fmt::format("{} has {} bytes, at most {} are read", io::printable(path, 400), file.size(), kLargest),
               "is it the right file?");
  std::string contents(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(contents)));
  return contents;
}

}  // namespace strata::app
