// SPDX-License-Identifier: Apache-2.0
//
// Private to this folder: HDF5's types and spaces for ours, and what a File holds.
#pragma once

#include "io/hdf5/file.hpp"
#include "io/hdf5/handle.hpp"

namespace strata::io::hdf5 {

hid_t native_type(Element element);  // HDF5's own, never closed
hid_t stored_type(Element element);
std::optional<Element> element_of(hid_t type);
Handle text_type(std::size_t width, const std::string& file);
Handle space_of(const Extents& extents, const std::string& file);
Extents extents_of(hid_t space, const std::string& file);
std::string list(const Extents& extents);  // "[2, 3]"

struct File::State {
  Handle driver;  // dies after the file
  Handle id;
  std::string name;
  SparseImage* image = nullptr;
};

struct Dataset::State {
  Handle id;
  std::string name;  // "shard.h5:/voxels"
  SparseImage* image = nullptr;
};

}  // namespace strata::io::hdf5
