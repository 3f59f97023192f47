// SPDX-License-Identifier: Apache-2.0
//
// Files as every format here wants them: read at given places with each length checked, and written whole or not at
// all. Reading is pread into the caller's memory, not a memory map: a file that shrinks while it is read then gives an
// error instead of a signal. Errors name the format in brackets and the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace strata::io {

// An open file, or bytes in memory that are read like one. Copies share the descriptor.
class InputFile {
 public:
  // `subject` is the word in brackets. No such file, or not a regular one: data error; may not be read: environment
  // error.
  InputFile(std::string subject, std::string path);
  InputFile(std::string subject, std::string name,
            std::span<const std::byte> bytes);  // the caller keeps the bytes alive

  const std::string& subject() const { return subject_; }
  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }  // when it was opened

  // Fills `into` from `offset` on. A range that is not in the file: data error.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  // Fills them one behind the other: one range of the file into several places, in as few calls as can be.
  void read(std::uint64_t offset, std::span<const std::span<std::byte>> into) const;

 private:
  struct Source;
  std::string subject_, path_;
  std::shared_ptr<const Source> source_;
  std::uint64_t size_ = 0;
};

// Writes beside the target under a temporary name; commit() flushes to the disk and renames. Until then, and after any
// error, the target is what it was before and the destructor removes the temporary file. Failures are environment
// errors.
class OutputFile {
 public:
  OutputFile(std::string subject, std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  [[noreturn]] void give_up(int code, std::string_view doing) const;
  void create();

  std::string subject_, path_, temporary_;
  int descriptor_ = -1;
  std::uint64_t written_ = 0;
};

}  // namespace strata::io
