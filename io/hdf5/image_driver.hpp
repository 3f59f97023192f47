// SPDX-License-Identifier: Apache-2.0
//
// HDF5's virtual file driver over a SparseImage (the callbacks of H5FD_class_t, HDF5 1.10).
#pragma once

#include "io/hdf5/handle.hpp"
#include "io/hdf5/sparse_image.hpp"

namespace strata::io::hdf5 {

// The driver's identifier; closing it unregisters the driver once no file uses it.
Handle register_image_driver();

// Lets files opened with this access list lie in `image`, which must outlive them.
void use_image(hid_t access_list, const Handle& driver, SparseImage& image);

}  // namespace strata::io::hdf5
