// SPDX-License-Identifier: Apache-2.0
//
// A file that grows by whole records: each is one write and is taken back if it did not fit. For what people look at,
// so a failure to write is one warning in the log and the next record is tried anew; a failure to open is an error.
#pragma once

#include <string>
#include <string_view>

namespace strata::io {

class AppendFile {
 public:
  enum class Open { append, create };  // create: it must not be there yet

  // A folder that is not there, no permission, a file that is there for `create`: environment error.
  AppendFile(std::string path, Open how);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void write(std::string_view record);
  void sync();  // waits for the disk

  // Cuts what stands behind the last `end`: a record that a killed process left unfinished.
  void cut_behind_last(char end);

 private:
  void warn(int code);

  std::string path_;
  int descriptor_ = -1;
  bool warned_ = false;
};

}  // namespace strata::io
