// SPDX-License-Identifier: Apache-2.0
#include "io/hdf5/file.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include "io/hdf5/check.hpp"
#include "io/hdf5/image_driver.hpp"
#include "io/hdf5/types.hpp"
#include "strata/io/text.hpp"

namespace strata::io::hdf5 {
namespace {

constexpr hsize_t kAlignFrom = 65536, kAlignment = 4096;  // bulk begins on a page

Handle access_list(const std::string& name) {
  Handle list(STRATA_HDF5(H5Pcreate(H5P_FILE_ACCESS), internal, "prepare the opening", name));
  STRATA_HDF5(H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110), internal, "set the format", name);
  STRATA_HDF5(H5Pset_fclose_degree(list, H5F_CLOSE_STRONG), internal, "prepare the closing", name);
  return list;
}

void check_opened_alone(const std::string& path) {
  const htri_t known = H5Fis_hdf5(path.c_str());
  H5Eclear2(H5E_DEFAULT);
  STRATA_CHECK(known != 0, data, "hdf5", fmt::format("{} is not a HDF5 file", printable(path, 400)));
}

}  // namespace

File::File(std::unique_ptr<State> state) : state_(std::move(state)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;

File::~File() {
  const Session session;
  state_.reset();
}

File File::create(SparseImage& image, const std::string& name, std::uint64_t user_block, std::uint64_t front) {
  const Session session;
  auto state = std::make_unique<State>();
  state->name = name;
  state->image = &image;
  state->driver = register_image_driver();
  const Handle access = access_list(name);
  use_image(access, state->driver, image);
  if (front == 0) {
    STRATA_HDF5(H5Pset_alignment(access, kAlignFrom, kAlignment), internal, "align", name);
  } else {  // not aligned: the gaps would be filled with what comes later
    STRATA_HDF5(H5Pset_meta_block_size(access, front), internal, "make room in front", name);
    STRATA_HDF5(H5Pset_small_data_block_size(access, 0), internal, "make room in front", name);
  }
  const Handle creation(STRATA_HDF5(H5Pcreate(H5P_FILE_CREATE), internal, "prepare the creation", name));
  STRATA_HDF5(H5Pset_userblock(creation, user_block), internal, "set the user block", name);
  STRATA_HDF5(H5Pset_obj_track_times(creation, false), internal, "leave times out", name);
  state->id =
      Handle(STRATA_HDF5(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation, access), internal, "make the header", name));
  return File(std::move(state));
}

File File::open(SparseImage& image, const std::string& name) {
  const Session session;
  auto state = std::make_unique<State>();
  state->name = name;
  state->image = &image;
  state->driver = register_image_driver();
  const Handle access = access_list(name);
  use_image(access, state->driver, image);
  state->id = Handle(STRATA_HDF5(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access), data, "read the header", name));
  return File(std::move(state));
}

File File::open(const std::string& path) {
  const Session session;
  check_opened_alone(path);
  auto state = std::make_unique<State>();
  state->name = path;
  state->id =
      Handle(STRATA_HDF5(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access_list(path)), data, "read the header", path));
  return File(std::move(state));
}

File File::open(const std::string& path, comm::Communicator& comm) {
  const void* handle = comm.native_handle("MPI_Comm");
  STRATA_CHECK(handle != nullptr, usage, "hdf5",
               fmt::format("transport '{}' cannot read over MPI-IO", comm.transport()),
               "start the ranks with mpirun, or read directly");
  const Session session;
  auto state = std::make_unique<State>();
  state->name = path;
  const Handle access = access_list(path);
  STRATA_HDF5(H5Pset_fapl_mpio(access, *static_cast<const MPI_Comm*>(handle), MPI_INFO_NULL), environment,
              "prepare MPI-IO", path);
  STRATA_HDF5(H5Pset_all_coll_metadata_ops(access, true), environment, "prepare MPI-IO", path);
  state->id = Handle(STRATA_HDF5(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), data, "read the header", path));
  return File(std::move(state));
}

void File::close() {
  const Session session;
  STRATA_HDF5(H5Fflush(state_->id, H5F_SCOPE_LOCAL), environment, "write the rest", state_->name);
  STRATA_HDF5(H5Fclose(state_->id.release()), environment, "close the header", state_->name);
}

void File::make_group(const std::string& path) {
  const Session session;
  const auto doing = [&] { return fmt::format("make group {}", path); };
  const Handle creation(STRATA_HDF5(H5Pcreate(H5P_GROUP_CREATE), internal, doing(), state_->name));
  STRATA_HDF5(H5Pset_obj_track_times(creation, false), internal, doing(), state_->name);
  const Handle group(STRATA_HDF5(H5Gcreate2(state_->id, path.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), internal,
                                 doing(), state_->name));
}

bool File::has(const std::string& path) const {
  const Session session;
  const bool found = H5Lexists(state_->id, path.c_str(), H5P_DEFAULT) > 0;  // a missing group on the way is a no, too
  H5Eclear2(H5E_DEFAULT);
  return found;
}

}  // namespace strata::io::hdf5
