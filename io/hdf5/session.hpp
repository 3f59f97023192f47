// SPDX-License-Identifier: Apache-2.0
//
// The lock around HDF5. HDF5 keeps its state in the process and is not thread-safe, so its lock is the process's too:
// whoever holds a Session may call it, everybody else waits. All classes of this folder take it by themselves; hold one
// across several calls only to keep others out. A thread may hold several. Bulk data should not go through HDF5 from
// many threads: read it at its address (Dataset::address).
#pragma once

#include <mutex>

namespace strata::io::hdf5 {

class Session {
 public:
  Session();  // waits; HDF5 then prints nothing by itself: its error stack becomes one Error
  ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

}  // namespace strata::io::hdf5
