// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "io/hdf5/check.hpp"
#include "io/hdf5/types.hpp"

namespace strata::io::hdf5 {
namespace {

void write_scalar(hid_t file, const std::string& file_name, const std::string& path, const std::string& name,
                  hid_t stored, hid_t native, const void* value) {
  const auto doing = [&] { return fmt::format("write attribute {} at {}", name, path); };
  const Handle space = space_of({}, file_name);
  const Handle attribute(STRATA_HDF5(
      H5Acreate_by_name(file, path.c_str(), name.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      internal, doing(), file_name));
  STRATA_HDF5(H5Awrite(attribute, native, value), internal, doing(), file_name);
}

Handle open_attribute(hid_t file, const std::string& file_name, const std::string& path, const std::string& name) {
  return Handle(STRATA_HDF5(H5Aopen_by_name(file, path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), data,
                            fmt::format("find attribute {} at {}", name, path), file_name));
}

[[noreturn]] void wrong_attribute(const std::string& file, const std::string& path, const std::string& name,
                                  std::string_view wanted) {
  fail(ErrorKind::data, "hdf5", fmt::format("attribute {} at {} of {} is not {}", name, path, file, wanted));
}

void read_scalar(const Handle& attribute, Element element, const std::string& file, const std::string& path,
                 const std::string& name, void* into) {
  const auto doing = [&] { return fmt::format("read attribute {} at {}", name, path); };
  const Handle type(STRATA_HDF5(H5Aget_type(attribute), data, doing(), file));
  const Handle space(STRATA_HDF5(H5Aget_space(attribute), data, doing(), file));
  if (element_of(type) != element || H5Sget_simple_extent_type(space) != H5S_SCALAR)
    wrong_attribute(file, path, name, name_of(element));
  STRATA_HDF5(H5Aread(attribute, native_type(element), into), data, doing(), file);
}

}  // namespace

void File::write_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  const Session session;
  write_scalar(state_->id, state_->name, path, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void File::write_attribute(const std::string& path, const std::string& name, double value) {
  const Session session;
  write_scalar(state_->id, state_->name, path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void File::write_attribute(const std::string& path, const std::string& name, const std::string& value) {
  const Session session;
  const Handle type = text_type(std::max<std::size_t>(value.size(), 1), state_->name);
  write_scalar(state_->id, state_->name, path, name, type, type, value.c_str());
}

std::int64_t File::read_integer(const std::string& path, const std::string& name) const {
  const Session session;
  std::int64_t value = 0;
  const Handle attribute = open_attribute(state_->id, state_->name, path, name);
  read_scalar(attribute, Element::i64, state_->name, path, name, &value);
  return value;
}

double File::read_real(const std::string& path, const std::string& name) const {
  const Session session;
  double value = 0;
  const Handle attribute = open_attribute(state_->id, state_->name, path, name);
  read_scalar(attribute, Element::f64, state_->name, path, name, &value);
  return value;
}

std::string File::read_text(const std::string& path, const std::string& name, std::size_t longest) const {
  const Session session;
  const Handle attribute = open_attribute(state_->id, state_->name, path, name);
  const auto doing = [&] { return fmt::format("read attribute {} at {}", name, path); };
  const Handle type(STRATA_HDF5(H5Aget_type(attribute), data, doing(), state_->name));
  const Handle space(STRATA_HDF5(H5Aget_space(attribute), data, doing(), state_->name));
  const std::size_t width = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || width > longest ||
      H5Sget_simple_extent_type(space) != H5S_SCALAR)
    wrong_attribute(state_->name, path, name, fmt::format("a text of at most {} bytes", longest));
  std::string value(width, '\0');
  const Handle memory = text_type(width, state_->name);
  STRATA_HDF5(H5Aread(attribute, memory, value.data()), data, doing(), state_->name);
  return value.substr(0, value.find('\0'));
}

}  // namespace strata::io::hdf5
