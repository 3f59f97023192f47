// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/table.hpp"

#include <algorithm>

#include "strata/comm/pack.hpp"

namespace strata::io {
namespace {

Part part_of(const CheckpointTable& table, std::size_t tensor, std::uint64_t index) {
  const TensorRow& row = table.tensors[tensor];
  const auto size = static_cast<std::int64_t>(size_of(row.dtype));
  const auto per_part = static_cast<std::int64_t>(kPartBytes) / size;
  Part part{.tensor = tensor, .number = row.first_part + index};
  part.begin = static_cast<std::int64_t>(index) * per_part;
  part.end = std::min(part.begin + per_part, row.shape.numel());
  part.at = row.address + index * kPartBytes;
  part.bytes = static_cast<std::uint64_t>((part.end - part.begin) * size);
  return part;
}

void append(std::vector<Segment>& segments, const Part& part) {
  const std::uint64_t end = part.at + part.bytes;
  if (segments.empty() || end - segments.back().at > kPartBytes) segments.push_back({.at = part.at});
  Segment& last = segments.back();
  last.parts.push_back(part);
  last.bytes = end - last.at;
}

}  // namespace

void CheckpointTable::number_parts() {
  std::uint64_t parts = 0;
  for (auto& row : tensors) {
    row.first_part = parts;
    parts += row.parts();
  }
  checksums.assign(parts, 0);
}

std::size_t CheckpointTable::index_of(const std::string& name) const {
  const auto found = std::ranges::lower_bound(tensors, name, {}, &TensorRow::name);
  if (found == tensors.end() || found->name != name) return tensors.size();
  return static_cast<std::size_t>(found - tensors.begin());
}

std::vector<Segment> segments_of(const CheckpointTable& table, std::span<const std::uint8_t> wanted) {
  std::vector<Segment> segments;
  for (std::size_t tensor = 0; tensor < table.tensors.size(); ++tensor) {
    if (!wanted.empty() && wanted[tensor] == 0) continue;
    const std::uint64_t parts = table.tensors[tensor].parts();
    for (std::uint64_t index = 0; index < parts; ++index) append(segments, part_of(table, tensor, index));
  }
  return segments;
}

std::string pack_table(const CheckpointTable& table) {
  comm::Packer packer;
  packer.put(table.step);
  packer.put(table.bytes);
  packer.put(table.data_at);
  packer.put(table.data_end);
  packer.put(table.tensors.size());
  for (const auto& row : table.tensors) {
    packer.put(row.name);
    packer.put(row.dtype);
    packer.put(row.shape);
    packer.put(row.address);
    packer.put(row.first_part);
  }
  packer.put(table.checksums);
  packer.put(table.texts.size());
  for (const auto& [name, text] : table.texts) {
    packer.put(name);
    packer.put(text);
  }
  return packer.take();
}

CheckpointTable unpack_table(const std::string& packed) {
  comm::Unpacker from(packed);
  CheckpointTable table;
  table.step = from.get<std::int64_t>();
  table.bytes = from.get<std::uint64_t>();
  table.data_at = from.get<std::uint64_t>();
  table.data_end = from.get<std::uint64_t>();
  table.tensors.resize(from.get<std::size_t>());
  for (auto& row : table.tensors) {
    row.name = from.get<std::string>();
    row.dtype = from.get<DType>();
    row.shape = from.get<Shape>();
    row.address = from.get<std::uint64_t>();
    row.first_part = from.get<std::uint64_t>();
  }
  table.checksums = from.get<std::vector<std::uint64_t>>();
  for (auto texts = from.get<std::size_t>(); texts > 0; --texts) {
    auto name = from.get<std::string>();
    table.texts[std::move(name)] = from.get<std::string>();
  }
  return table;
}

}  // namespace strata::io
