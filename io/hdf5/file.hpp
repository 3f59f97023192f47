// SPDX-License-Identifier: Apache-2.0
//
// HDF5 files as Strata writes and reads them: groups, columns (small datasets, contiguous), and bulk (large datasets in
// chunks, allocated when they are made, never filled), whose bytes are best moved at the address that the file gives.
// The same calls make the same bytes: no times are kept. Files are of HDF5's 1.10 format, whose headers carry
// checksums.
//
// Reading believes nothing: a dataset has the element type and the extents that the caller says, or it is a data error;
// no memory is allocated by a number in the file that the caller did not check. Functions may be called from any
// thread; they take the lock (Session). HDF5's words stay inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/sparse_image.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::io::hdf5 {

using Extents = std::vector<std::uint64_t>;

enum class Element : std::uint8_t { u8, i16, u16, i32, i64, u64, f32, f64 };  // little endian in the file
std::size_t size_of(Element element);
std::string_view name_of(Element element);

template <class T>
struct ElementOf;
template <>
struct ElementOf<std::uint8_t> {
  static constexpr Element value = Element::u8;
};
template <>
struct ElementOf<std::int16_t> {
  static constexpr Element value = Element::i16;
};
template <>
struct ElementOf<std::uint16_t> {
  static constexpr Element value = Element::u16;
};
template <>
struct ElementOf<std::int32_t> {
  static constexpr Element value = Element::i32;
};
template <>
struct ElementOf<std::int64_t> {
  static constexpr Element value = Element::i64;
};
template <>
struct ElementOf<std::uint64_t> {
  static constexpr Element value = Element::u64;
};
template <>
struct ElementOf<float> {
  static constexpr Element value = Element::f32;
};
template <>
struct ElementOf<double> {
  static constexpr Element value = Element::f64;
};

struct DatasetFacts {
  std::optional<Element> element;  // none: another type
  std::uint64_t text_width = 0;    // of fixed-length strings, else 0
  Extents extents;
  Extents chunk;  // empty: not in chunks
};

// A dataset that stays open. Must die before its file.
class Dataset {
 public:
  // Bytes of the block [start, start + count) into memory, row-major, through HDF5. collective: on a file that was
  // opened with a communicator, all ranks call it together; a rank that wants nothing gives a count with a zero.
  void read(const Extents& start, const Extents& count, std::span<std::byte> into, bool collective = false) const;

  // Where the first element lies in the file, when all elements lie behind it without a gap in row-major order, as they
  // are in memory; otherwise (compressed, scattered, no element) nothing. Only of files in a SparseImage.
  std::optional<std::uint64_t> address() const;
  DatasetFacts facts() const;

 private:
  friend class File;
  struct State;
  explicit Dataset(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

class File {
 public:
  // In memory; the first `user_block` bytes (a power of two, at least 4096) are the caller's. `name` is for people. The
  // image must live longer. `front`: room for HDF5's headers and indexes, which then lie before all elements as long as
  // they fit (or behind all, what is written by close); 0: among them, as HDF5 likes.
  static File create(SparseImage& image, const std::string& name, std::uint64_t user_block, std::uint64_t front = 0);
  static File open(SparseImage& image, const std::string& name);
  // On disk, read only: alone, or over MPI-IO by all ranks of an mpi communicator.
  static File open(const std::string& path);
  static File open(const std::string& path, comm::Communicator& comm);

  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();
  void close();  // writes what is left; says what went wrong, as the destructor cannot

  void make_group(const std::string& path);
  void write_attribute(const std::string& path, const std::string& name, std::int64_t value);
  void write_attribute(const std::string& path, const std::string& name, double value);
  void write_attribute(const std::string& path, const std::string& name, const std::string& value);
  void write(const std::string& path, Element element, const Extents& extents, const void* values);
  template <class T>
  void write(const std::string& path, const std::vector<T>& values, const Extents& extents) {
    write(path, ElementOf<T>::value, extents, values.data());
  }
  void write_texts(const std::string& path, const std::vector<std::string>& texts);  // as wide as the longest
  // In one piece, allocated at once and never filled.
  Dataset make_array(const std::string& path, Element element, const Extents& extents);
  Dataset make_bulk(const std::string& path, Element element, const Extents& extents, const Extents& chunk);

  bool has(const std::string& path) const;
  std::int64_t read_integer(const std::string& path, const std::string& name) const;
  double read_real(const std::string& path, const std::string& name) const;
  std::string read_text(const std::string& path, const std::string& name, std::size_t longest) const;
  DatasetFacts facts(const std::string& path) const;
  // The whole dataset, which must have these extents.
  void read(const std::string& path, Element element, const Extents& extents, void* into) const;
  template <class T>
  std::vector<T> read(const std::string& path, const Extents& extents) const {
    std::size_t count = 1;
    for (const auto extent : extents) count *= extent;
    check(path, ElementOf<T>::value, extents);
    std::vector<T> values(count);
    read(path, ElementOf<T>::value, extents, values.data());
    return values;
  }
  // `count` strings of at most `widest` bytes; bytes from the first zero on are dropped.
  std::vector<std::string> read_texts(const std::string& path, std::uint64_t count, std::uint64_t widest) const;
  Dataset dataset(const std::string& path) const;

  // The dataset has this type and these extents, or a data error says what it has.
  void check(const std::string& path, Element element, const Extents& extents) const;

 private:
  struct State;
  explicit File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace strata::io::hdf5
