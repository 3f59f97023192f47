// SPDX-License-Identifier: Apache-2.0
#include "io/hdf5/image_driver.hpp"

#include <array>
#include <new>

#include "io/hdf5/check.hpp"

namespace strata::io::hdf5 {
namespace {

// HDF5 sees the first member only.
struct ImageFile {
  H5FD_t base;
  SparseImage* image;
  haddr_t end_of_allocation, end_of_file;
};

ImageFile& file_of(H5FD_t* base) { return *reinterpret_cast<ImageFile*>(base); }
const ImageFile& file_of(const H5FD_t* base) { return *reinterpret_cast<const ImageFile*>(base); }

H5FD_t* open_image(const char*, unsigned, hid_t access_list, haddr_t) {
  SparseImage* const* image = static_cast<SparseImage* const*>(H5Pget_driver_info(access_list));
  if (image == nullptr) return nullptr;
  auto* file = new (std::nothrow) ImageFile{};
  if (file == nullptr) return nullptr;
  file->image = *image;
  file->end_of_file = (*image)->size();
  return &file->base;
}

herr_t close_image(H5FD_t* base) {
  delete &file_of(base);
  return 0;
}

// Small allocations are gathered as on disk, so that a file is as compact as HDF5 makes it there.
herr_t say_features(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t end_of_allocation(const H5FD_t* base, H5FD_mem_t) { return file_of(base).end_of_allocation; }

herr_t set_end_of_allocation(H5FD_t* base, H5FD_mem_t, haddr_t address) {
  file_of(base).end_of_allocation = address;
  return 0;
}

haddr_t end_of_file(const H5FD_t* base, H5FD_mem_t) { return file_of(base).end_of_file; }

// HDF5 has checked the range against the end of its allocations.
herr_t read_image(H5FD_t* base, H5FD_mem_t kind, hid_t, haddr_t at, std::size_t bytes, void* into) {
  ImageFile& file = file_of(base);
  if (kind == H5FD_MEM_DRAW) file.image->last_elements_read = at;
  file.image->read(at, {static_cast<std::byte*>(into), bytes});
  return 0;
}

// Exceptions may not pass through C.
herr_t write_image(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t at, std::size_t bytes, const void* from) {
  ImageFile& file = file_of(base);
  try {
    file.image->write(at, {static_cast<const std::byte*>(from), bytes});
  } catch (const std::bad_alloc&) {
    return -1;
  }
  file.end_of_file = file.image->size();
  return 0;
}

herr_t end_at_allocation(H5FD_t* base, hid_t, hbool_t) {
  ImageFile& file = file_of(base);
  file.image->resize(file.end_of_allocation);
  file.end_of_file = file.end_of_allocation;
  return 0;
}

}  // namespace

Handle register_image_driver() {
  H5FD_class_t driver{};
  driver.name = "strata_image";
  driver.maxaddr = haddr_t{1} << 62;
  driver.fc_degree = H5F_CLOSE_STRONG;
  driver.fapl_size = sizeof(SparseImage*);
  driver.open = open_image;
  driver.close = close_image;
  driver.query = say_features;
  driver.get_eoa = end_of_allocation;
  driver.set_eoa = set_end_of_allocation;
  driver.get_eof = end_of_file;
  driver.read = read_image;
  driver.write = write_image;
  driver.truncate = end_at_allocation;
  constexpr std::array<H5FD_mem_t, H5FD_MEM_NTYPES> kKinds = H5FD_FLMAP_DICHOTOMY;
  for (std::size_t i = 0; i < kKinds.size(); ++i) driver.fl_map[i] = kKinds[i];
  return Handle(STRATA_HDF5(H5FDregister(&driver), internal, "register the driver", "memory"));
}

void use_image(hid_t access_list, const Handle& driver, SparseImage& image) {
  SparseImage* pointer = &image;
  STRATA_HDF5(H5Pset_driver(access_list, driver, static_cast<const void*>(&pointer)), internal, "set the driver",
              "memory");
}

}  // namespace strata::io::hdf5
