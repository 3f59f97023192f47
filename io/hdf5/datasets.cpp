// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "io/hdf5/check.hpp"
#include "io/hdf5/types.hpp"
#include "strata/io/text.hpp"

namespace strata::io::hdf5 {
namespace {

// Allocated at once and never filled: what is not written stays a hole.
Handle early_allocation(const std::string& file) {
  Handle list(STRATA_HDF5(H5Pcreate(H5P_DATASET_CREATE), internal, "prepare a dataset", file));
  STRATA_HDF5(H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY), internal, "prepare a dataset", file);
  STRATA_HDF5(H5Pset_fill_time(list, H5D_FILL_TIME_NEVER), internal, "prepare a dataset", file);
  STRATA_HDF5(H5Pset_obj_track_times(list, false), internal, "prepare a dataset", file);
  return list;
}

Handle make_dataset(hid_t file, const std::string& file_name, const std::string& path, hid_t type,
                    const Extents& extents, hid_t creation) {
  return Handle(STRATA_HDF5(
      H5Dcreate2(file, path.c_str(), type, space_of(extents, file_name), H5P_DEFAULT, creation, H5P_DEFAULT), internal,
      fmt::format("make {}", path), file_name));
}

// Without a cache of chunks HDF5 reads exactly the bytes that are asked for.
Handle open_dataset(hid_t file, const std::string& file_name, const std::string& path) {
  const Handle access(STRATA_HDF5(H5Pcreate(H5P_DATASET_ACCESS), internal, "prepare a dataset", file_name));
  STRATA_HDF5(H5Pset_chunk_cache(access, 0, 0, 0), internal, "prepare a dataset", file_name);
  return Handle(STRATA_HDF5(H5Dopen2(file, path.c_str(), access), data, fmt::format("find {}", path), file_name));
}

Extents chunk_of(hid_t set, std::size_t axes) {
  const Handle creation(H5Dget_create_plist(set));
  std::vector<hsize_t> dims(axes);
  if (H5Pget_layout(creation) != H5D_CHUNKED) return {};
  if (H5Pget_chunk(creation, static_cast<int>(axes), dims.data()) != static_cast<int>(axes)) return {};
  return {dims.begin(), dims.end()};
}

bool is_empty(const Extents& extents) { return std::ranges::find(extents, 0U) != extents.end(); }

}  // namespace

void File::write(const std::string& path, Element element, const Extents& extents, const void* values) {
  const Session session;
  const Handle set =
      make_dataset(state_->id, state_->name, path, stored_type(element), extents, early_allocation(state_->name));
  if (is_empty(extents)) return;
  STRATA_HDF5(H5Dwrite(set, native_type(element), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), internal,
              fmt::format("write {}", path), state_->name);
}

void File::write_texts(const std::string& path, const std::vector<std::string>& texts) {
  const Session session;
  std::size_t width = 1;
  for (const auto& text : texts) width = std::max(width, text.size());
  std::string packed(texts.size() * width, '\0');
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i].copy(packed.data() + i * width, width);
  const Handle type = text_type(width, state_->name);
  const Handle set = make_dataset(state_->id, state_->name, path, type, {texts.size()}, early_allocation(state_->name));
  if (texts.empty()) return;
  STRATA_HDF5(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed.data()), internal,
              fmt::format("write {}", path), state_->name);
}

Dataset File::make_array(const std::string& path, Element element, const Extents& extents) {
  const Session session;
  auto state = std::make_shared<Dataset::State>();
  state->id =
      make_dataset(state_->id, state_->name, path, stored_type(element), extents, early_allocation(state_->name));
  state->name = fmt::format("{}:{}", state_->name, path);
  state->image = state_->image;
  return Dataset(std::move(state));
}

Dataset File::make_bulk(const std::string& path, Element element, const Extents& extents, const Extents& chunk) {
  const Session session;
  const Handle creation = early_allocation(state_->name);
  const std::vector<hsize_t> dims(chunk.begin(), chunk.end());
  STRATA_HDF5(H5Pset_chunk(creation, static_cast<int>(dims.size()), dims.data()), internal, "set chunks", state_->name);
  make_dataset(state_->id, state_->name, path, stored_type(element), extents, creation);
  return dataset(path);
}

Dataset File::dataset(const std::string& path) const {
  const Session session;
  auto state = std::make_shared<Dataset::State>();
  state->id = open_dataset(state_->id, state_->name, path);
  state->name = fmt::format("{}:{}", state_->name, path);
  state->image = state_->image;
  return Dataset(std::move(state));
}

DatasetFacts File::facts(const std::string& path) const { return dataset(path).facts(); }

DatasetFacts Dataset::facts() const {
  const Session session;
  const auto& [set, name, image] = *state_;
  const Handle type(STRATA_HDF5(H5Dget_type(set), data, "read the type", name));
  const Handle space(STRATA_HDF5(H5Dget_space(set), data, "read the extents", name));
  DatasetFacts facts;
  facts.element = element_of(type);
  facts.extents = extents_of(space, name);
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0) facts.text_width = H5Tget_size(type);
  facts.chunk = chunk_of(set, facts.extents.size());
  return facts;
}

void File::check(const std::string& path, Element element, const Extents& extents) const {
  const DatasetFacts found = facts(path);
  STRATA_CHECK(found.element == element && found.extents == extents, data, "hdf5",
               fmt::format("{} of {} is {}{}, not {}{}", path, printable(state_->name, 400),
                           found.element ? name_of(*found.element) : "another type", list(found.extents),
                           name_of(element), list(extents)));
}

void File::read(const std::string& path, Element element, const Extents& extents, void* into) const {
  const Session session;
  check(path, element, extents);
  if (is_empty(extents)) return;
  const Handle set = open_dataset(state_->id, state_->name, path);
  STRATA_HDF5(H5Dread(set, native_type(element), H5S_ALL, H5S_ALL, H5P_DEFAULT, into), data,
              fmt::format("read {}", path), state_->name);
}

std::vector<std::string> File::read_texts(const std::string& path, std::uint64_t count, std::uint64_t widest) const {
  const Session session;
  const DatasetFacts found = facts(path);
  STRATA_CHECK(
      found.text_width > 0 && found.text_width <= widest && found.extents == Extents{count}, data, "hdf5",
      fmt::format("{} of {} is not {} texts of at most {} bytes", path, printable(state_->name, 400), count, widest));
  std::vector<std::string> texts(count);
  if (count == 0) return texts;
  const auto width = static_cast<std::size_t>(found.text_width);
  std::string packed(count * width, '\0');
  const Handle set = open_dataset(state_->id, state_->name, path), type = text_type(width, state_->name);
  STRATA_HDF5(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed.data()), data, fmt::format("read {}", path),
              state_->name);
  for (std::size_t i = 0; i < count; ++i)
    texts[i].assign(packed, i * width, ::strnlen(packed.data() + i * width, width));
  return texts;
}

}  // namespace strata::io::hdf5
