// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/writer.hpp"

#include <optional>

#include "io/checkpoint/checkpoint_file.hpp"
#include "io/checkpoint/segment_writer.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/pack.hpp"
#include "strata/comm/together.hpp"

namespace strata::io {
namespace {

// Rank 0's table with addresses, on all ranks; the skeleton stays with rank 0.
CheckpointTable share_table(comm::Communicator& comm, const std::optional<CheckpointSkeleton>& made) {
  const std::string packed = comm::broadcast_text(comm, made ? pack_table(made->table) : std::string());
  return made ? made->table : unpack_table(packed);
}

// All ranks' checksums to rank 0.
void collect_sums(comm::Communicator& comm, const std::vector<SegmentWriter::PartSum>& mine, CheckpointTable* into) {
  comm::Packer packer;
  for (const auto& [part, sum] : mine) {
    packer.put(part);
    packer.put(sum);
  }
  std::vector<std::string> texts(static_cast<std::size_t>(comm.size()));
  texts[0] = packer.take();
  texts = comm::exchange_texts(comm, texts);
  if (into == nullptr) return;
  for (const auto& text : texts)
    for (comm::Unpacker from(text); !from.done();) {
      const auto part = from.get<std::uint64_t>();
      into->checksums[part] = from.get<std::uint64_t>();
    }
}

}  // namespace

void write_checkpoint(comm::Communicator& comm, Context& ctx, const std::string& temporary, const std::string& path,
                      std::int64_t step, const StateDict& state, const CheckpointTexts& texts) {
  const bool root = comm.rank() == 0;
  const Holdings holdings = Holdings::agree(comm, state);

  std::optional<CheckpointSkeleton> made;
  std::optional<SharedFile> file;
  comm::together(comm, [&] {
    if (!root) return;
    CheckpointTable table = holdings.table();
    table.step = step;
    table.texts = texts;
    made = make_skeleton(std::move(table));
    file.emplace(SharedFile::create("checkpoint", temporary, made->table.bytes));
  });
  const CheckpointTable table = share_table(comm, made);

  std::optional<HostEntries> mine;
  comm::together(comm, [&] {
    mine.emplace(ctx, table, state, HostEntries::Use::read);
    if (!root && SegmentWriter::has_segments(table, comm)) file.emplace(SharedFile::join("checkpoint", temporary));
  });
  std::vector<SegmentWriter::PartSum> sums;
  comm::together(comm, [&] {
    SegmentWriter writer(comm, table, holdings, *mine, file ? &*file : nullptr);
    sums = writer.write_all();
    if (!root && file) file->flush();
  });
  collect_sums(comm, sums, made ? &made->table : nullptr);
  comm::together(comm, [&] {
    if (!root) return;
    const CheckpointEnds ends = ends_of(*made);
    file->write(table.data_end, std::as_bytes(std::span(ends.back)));
    file->write(0, std::as_bytes(std::span(ends.front)));
    file->rename(path);
  });
}

}  // namespace strata::io
