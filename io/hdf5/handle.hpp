// SPDX-License-Identifier: Apache-2.0
//
// An HDF5 identifier with one owner, closed by the function of its kind. HDF5 counts references, so the generic one
// serves all kinds; what closing a file says is asked for where it matters (File::close).
#pragma once

#include <hdf5.h>

#include <utility>

#include "io/hdf5/session.hpp"

namespace strata::io::hdf5 {

class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle() {
    if (id_ < 0) return;
    const Session session;
    H5Idec_ref(id_);
  }

  operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor): it stands in HDF5's calls
  hid_t release() { return std::exchange(id_, H5I_INVALID_HID); }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

}  // namespace strata::io::hdf5
