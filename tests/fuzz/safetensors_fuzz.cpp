// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "io/safetensors/header.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"

namespace strata::fuzz {
namespace {

void check_accepted(const io::SafetensorsFile& file, std::size_t file_bytes) {
  std::size_t held = 0;
  for (const auto& entry : file.entries()) {
    promise(file.find(entry.name) == &entry, "an entry is not found by its name");
    held += entry.end - entry.begin;
    if (entry.dtype) {
      const Tensor tensor = file.load(entry);
      promise(tensor.bytes() == entry.end - entry.begin && tensor.shape() == entry.shape, "a tensor of another size");
      io::first_non_finite(tensor);
    } else if (entry.type == "F16") {
      promise(file.load_as(entry, DType::f32).shape() == entry.shape, "a converted tensor of another shape");
    }
  }
  promise(held < file_bytes, "tensors hold more than the file");
  const std::string header = io::build_header({file.entries(), file.metadata()});
  const auto again = io::parse_header(std::string_view(header).substr(8), held, "again");
  promise(again.entries == file.entries() && again.metadata == file.metadata(),
          "writing and reading changed the header");
}

}  // namespace

bool fuzz_safetensors(std::span<const std::byte> bytes) {
  return accepts([&] { check_accepted(io::SafetensorsFile(bytes, "fuzz"), bytes.size()); });
}

bool fuzz_safetensors_header(std::span<const std::byte> bytes) {
  if (bytes.empty()) return false;
  const auto data = std::to_integer<std::size_t>(bytes[0]);
  const auto json = bytes.subspan(1);
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>((json.size() >> (8 * i)) & 0xffu);
  for (const auto byte : json) file += std::to_integer<char>(byte);
  file.append(data, '\x7f');
  return fuzz_safetensors(std::as_bytes(std::span(file)));
}

}  // namespace strata::fuzz
