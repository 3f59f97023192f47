// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "io/safetensors/header.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

// Wide elements first: every tensor then starts at a multiple of its element size, because the data starts at a
// multiple of eight.
std::vector<const StateEntry*> in_file_order(const StateDict& state) {
  std::vector<const StateEntry*> order;
  for (const auto& entry : state) {
    STRATA_CHECK(entry.value.defined(), usage, "safetensors",
                 fmt::format("{} is undefined and cannot be written", printable(entry.name)));
    STRATA_CHECK(!entry.placement || entry.placement->is_whole(), usage, "safetensors",
                 fmt::format("{} is a part of a larger tensor and cannot be exported", printable(entry.name)),
                 "gather it first");
    order.push_back(&entry);
  }
  std::ranges::sort(order, {}, [](const StateEntry* e) {
    return std::tuple(-static_cast<int>(size_of(e->value.dtype())), std::string_view(e->name));
  });
  return order;
}

}  // namespace

void write_safetensors(const std::string& path, const StateDict& state, const SafetensorsMetadata& metadata) {
  const auto order = in_file_order(state);
  SafetensorsHeader header;
  header.metadata = metadata;
  std::uint64_t at = 0;
  for (const auto* entry : order) {
    const DType dtype = entry->value.dtype();
    header.entries.push_back({entry->name, std::string(safetensors_type(dtype).name), dtype, entry->value.shape(), at,
                              at + entry->value.bytes()});
    at += entry->value.bytes();
  }
  const std::string text = build_header(header);
  OutputFile file("safetensors", path);
  file.write(text);
  for (const auto* entry : order) {
    const Tensor dense = dense_on_host(entry->value);
    file.write({static_cast<const std::byte*>(dense.raw()), dense.bytes()});
  }
  file.commit();
}

}  // namespace strata::io
