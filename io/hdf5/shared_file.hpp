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
  // `subject` is the word in brackets. Made anew (over a leftover), `bytes` long, with its room on the disk taken where
  // the file system can: a full disk says so now. Removed by the destructor unless it was renamed.
  static SharedFile create(std::string subject, std::string path, std::uint64_t bytes);
  static SharedFile join(std::string subject, std::string path);  // one that another rank has made

  SharedFile(SharedFile&& other) noexcept;
  SharedFile& operator=(SharedFile&&) = delete;
  ~SharedFile();

  void write(std::uint64_t at, std::span<const std::byte> bytes);
  void flush();                          // what this process wrote is on the disk
  void rename(const std::string& path);  // and the folder flushed

 private:
  SharedFile(std::string subject, std::string path, int descriptor, bool made);
  [[noreturn]] void give_up(int code, std::string_view doing) const;
  void take_room(std::uint64_t bytes);

  std::string subject_, path_;
  int descriptor_;
  bool made_;
};

// So that a rename or removal in it survives a crash. A file system that cannot flush folders is not an error.
void flush_folder(const std::string& folder);

}  // namespace strata::io
