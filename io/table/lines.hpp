// SPDX-License-Identifier: Apache-2.0
//
// A text file line by line with bounded memory, as both table formats read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "strata/io/file.hpp"

namespace strata::io {

class LineReader {
 public:
  // Skips a UTF-8 byte order mark; that of UTF-16 is an error.
  LineReader(InputFile file, std::size_t longest);

  // The next line with its end (LF, CR LF or CR), which must be UTF-8 without zero bytes; false at the end of the file.
  bool next(std::string& line);
  std::int64_t number() const { return number_; }  // of the line that next() gave, from 1

  [[noreturn]] void bad(std::int64_t line, std::string_view what, std::string_view hint = {}) const;

 private:
  bool fill();
  void skip_byte_order_mark();

  InputFile file_;
  std::size_t longest_;
  std::string buffer_;
  std::size_t at_ = 0;        // in buffer_
  std::uint64_t offset_ = 0;  // of what comes after buffer_ in the file
  std::int64_t number_ = 0;
};

}  // namespace strata::io
