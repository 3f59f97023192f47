// SPDX-License-Identifier: Apache-2.0
//
// Safetensors files, strictly: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
// then the data without holes (format of the Hugging Face safetensors library). For import and export of published
// weights; checkpoints have a format of their own. Nothing in a header is believed before it is checked against the
// file, so a hostile one can neither allocate more than a small multiple of its own length nor read outside the file.
// Opening reads the header alone; a tensor's bytes are read once, when it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/io/file.hpp"
#include "strata/io/state_dict.hpp"
#include "strata/tensor/tensor.hpp"

namespace strata::io {

using SafetensorsMetadata = std::map<std::string, std::string>;

struct SafetensorsEntry {
  std::string name;            // exactly as in the file
  std::string type;            // as the file spells it: "F32"
  std::optional<DType> dtype;  // absent for types the engine has no tensors of: F16, I8, BOOL, ...
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // bytes, counted from the end of the header

  bool operator==(const SafetensorsEntry&) const = default;
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);  // a header that breaks any rule: data error
  SafetensorsFile(std::span<const std::byte> bytes,
                  const std::string& name);  // the same in memory, which the caller keeps alive

  const std::string& path() const { return file_.path(); }
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in the order of their data
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const SafetensorsEntry* find(std::string_view name) const;   // nullptr when there is none
  const SafetensorsEntry& entry(std::string_view name) const;  // none: data error with the nearest name

  // Into host memory of its own. A type the engine lacks: data error.
  Tensor load(const SafetensorsEntry& entry) const;
  Tensor load(std::string_view name) const { return load(entry(name)); }
  // As `wanted`: the same type, or any two of F16, BF16, F32, F64 (converted, rounding to nearest even).
  Tensor load_as(const SafetensorsEntry& entry, DType wanted) const;

 private:
  void read_header();
  void read_data(const SafetensorsEntry& entry, std::span<std::byte> into) const;

  InputFile file_;
  std::uint64_t data_begin_ = 0;
  std::vector<SafetensorsEntry> entries_;
  std::vector<std::size_t> by_name_;  // entries_ sorted by name
  SafetensorsMetadata metadata_;
};

StateDict read_safetensors(const std::string& path);  // every tensor of the file

// Host tensors, dense or strided, whole. Deterministic: the same state gives the same bytes (wide element types first,
// so that all data is aligned, then by name). Written under a temporary name, flushed and renamed.
void write_safetensors(const std::string& path, const StateDict& state, const SafetensorsMetadata& metadata = {});

struct WantedTensor {
  std::string name;
  TensorSpec spec;
};

struct LoadOptions {
  std::vector<std::string> ignore;  // prefixes of names that the file may hold without being wanted ("text.")
  bool convert = false;             // convert floating types to the wanted one; otherwise another type is an error
  bool allow_non_finite = false;
  std::size_t listed = 20;  // names of each sort of mismatch that the error prints; all are counted
};

// The wanted tensors, under the wanted names and in that order. A prefix "module." that all names of the file share is
// dropped. What is missing, not wanted, of another shape or of another type is collected into one data error; NaN or
// infinity is a numeric error that names the element.
StateDict load_wanted(const SafetensorsFile& file, std::span<const WantedTensor> wanted,
                      const LoadOptions& options = {});

}  // namespace strata::io
