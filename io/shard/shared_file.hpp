// SPDX-License-Identifier: Apache-2.0
//
// A file that several ranks write at once, each at places of its own, and that gets its name when all is on the disk.
// Failures are environment errors that say what to try.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace strata::io {

class SharedFile {
 public:
  // Made anew (over a leftover), `bytes` long, with its room on the disk taken where the file system can: a full disk
  // says so now. Removed by the destructor unless it was renamed.
  static SharedFile create(std::string path, std::uint64_t bytes);
  static SharedFile join(std::string path);  // one that another rank has made

  SharedFile(SharedFile&& other) noexcept;
  SharedFile& operator=(SharedFile&&) = delete;
  ~SharedFile();

  void write(std::uint64_t at, std::span<const std::byte> bytes);
  void flush();                          // what this process wrote is on the disk
  void rename(const std::string& path);  // and the folder flushed

 private:
  SharedFile(std::string path, int descriptor, bool made);
  [[noreturn]] void give_up(int code, std::string_view doing) const;
  void take_room(std::uint64_t bytes);

  std::string path_;
  int descriptor_;
  bool made_;
};

}  // namespace strata::io
