// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/checkpoint_file.hpp"
#include "io/hdf5/checksum.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/numbered_state.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"
#include "tests/fuzz/seeds.hpp"

namespace strata::fuzz {
namespace {

std::string whole_checkpoint() {
  const fixtures::ScratchFolder folder;
  const fixtures::ReferenceDevice device;
  Context ctx = device.ctx;
  StateDict state;
  for (const auto dtype : {DType::f32, DType::bf16, DType::i64, DType::u8}) {
    state.add(std::string(name_of(dtype)), fixtures::zeroed(dtype, {2, 3}));
    state.add(std::string(name_of(dtype)) + ".step", fixtures::zeroed(dtype, {}));
  }
  state.add("none", fixtures::zeroed(DType::f64, {0, 4}));
  const auto local = comm::make_local();
  io::open_checkpoints(folder.path().string(), *local)->save(ctx, 7, state, {{"config.yaml", "a: 1\n"}});
  return fixtures::read_all(folder.file(io::checkpoint_file(7)));
}

// Bytes of the tables before the tensors, and behind them.
struct Ends {
  std::size_t front = 0, back = 0;
};

Ends ends_of(const std::string& whole) {
  const auto number = [&](const std::string& mark) {
    return std::stoul(whole.substr(whole.find(mark) + mark.size(), 20));
  };
  return {number("\"data_at\":") - 4096, whole.size() - number("\"data_end\":")};
}

void check_table(const io::CheckpointTable& table, std::size_t file_bytes) {
  promise(table.bytes == file_bytes, "a header of another file");
  std::uint64_t end = table.data_at, parts = 0;
  for (const auto& row : table.tensors) {
    parts += row.parts();
    if (row.shape.numel() == 0) continue;
    promise(row.address >= end && row.address + row.bytes() <= table.data_end, "a tensor outside the file");
    end = row.address + row.bytes();
  }
  promise(parts == table.checksums.size(), "parts without a checksum");
  for (const auto& segment : io::segments_of(table))
    promise(segment.at + segment.bytes <= file_bytes, "a segment outside the file");
}

}  // namespace

bool fuzz_checkpoint(std::span<const std::byte> bytes) {
  return accepts(
      [&] { check_table(io::read_checkpoint_table(io::InputFile("checkpoint", "fuzz", bytes)), bytes.size()); });
}

bool fuzz_checkpoint_header(std::span<const std::byte> bytes) {
  static const std::string whole = whole_checkpoint();
  std::string file = whole;
  const std::string head(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 4096));
  file.replace(0, 4096, head + std::string(4096 - head.size(), '\0'));
  return fuzz_checkpoint(std::as_bytes(std::span(file)));
}

// The tables with a checksum that is right: HDF5 meets what was changed.
bool fuzz_checkpoint_tables(std::span<const std::byte> bytes) {
  static const std::string whole = whole_checkpoint();
  static const Ends ends = ends_of(whole);
  if (bytes.size() != ends.front + ends.back) return false;
  std::string file = whole;
  std::memcpy(file.data() + 4096, bytes.data(), ends.front);
  std::memcpy(file.data() + file.size() - ends.back, bytes.data() + ends.front, ends.back);
  const std::string mark = "\"tables_xxh3\":\"";
  file.replace(file.find(mark) + mark.size(), 16, io::hex_of(io::checksum_of(bytes)));
  return fuzz_checkpoint(std::as_bytes(std::span(file)));
}

std::vector<Seed> checkpoint_seeds() { return {{"small", whole_checkpoint()}}; }

std::vector<Seed> checkpoint_header_seeds() {
  const std::string whole = whole_checkpoint();
  return {{"small", whole.substr(0, whole.find('\0'))}};
}

std::vector<Seed> checkpoint_table_seeds() {
  const std::string whole = whole_checkpoint();
  const Ends ends = ends_of(whole);
  return {{"small", whole.substr(4096, ends.front) + whole.substr(whole.size() - ends.back)}};
}

}  // namespace strata::fuzz
