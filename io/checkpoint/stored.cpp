// SPDX-License-Identifier: Apache-2.0
//
// A checkpoint that was opened: its tables on every rank, read once by rank 0.
#include "io/checkpoint/stored.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>

#include "io/checkpoint/checkpoint_file.hpp"
#include "io/checkpoint/host_entries.hpp"
#include "io/checkpoint/piece.hpp"
#include "io/checkpoint/segment_reader.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

// What a file is not worth reading for: checkpoint errors that name it and say what to try.
void judged(const std::string& path, const std::string& advice, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    const std::string name = printable(path, 400);
    const bool named = error.message().find(name) != std::string::npos;
    fail(ErrorKind::checkpoint, "checkpoint", named ? error.message() : fmt::format("{}: {}", name, error.message()),
         advice, error.where());
  }
}

class Stored final : public CheckpointFile {
 public:
  Stored(comm::Communicator& comm, std::string path, std::string advice)
      : comm_(comm), path_(std::move(path)), advice_(std::move(advice)) {
    std::string packed;
    comm::together(comm, [&] {
      if (comm.rank() != 0) return;
      judged(path_, advice_, [&] { packed = pack_table(read_checkpoint_table(InputFile("checkpoint", path_))); });
    });
    table_ = unpack_table(comm::broadcast_text(comm, std::move(packed)));
    for (const auto& row : table_.tensors) tensors_.push_back({row.name, row.dtype, row.shape});
  }

  std::int64_t step() const override { return table_.step; }
  const std::string& path() const override { return path_; }
  const CheckpointTexts& texts() const override { return table_.texts; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  std::int64_t bytes() const override { return static_cast<std::int64_t>(table_.bytes); }
  void read(Context& ctx, const StateDict& into) const override;
  std::vector<std::string> damaged_tensors() const override;

 private:
  void check_wanted(const StateEntry& entry) const;
  std::vector<std::uint8_t> wanted_by_any(const StateDict& into) const;

  comm::Communicator& comm_;
  std::string path_, advice_;
  CheckpointTable table_;
  std::vector<StoredTensor> tensors_;
};

void Stored::check_wanted(const StateEntry& entry) const {
  const auto index = table_.index_of(entry.name);
  if (index == table_.tensors.size()) {
    const auto names = [&] {
      std::vector<std::string_view> all;
      for (const auto& row : table_.tensors) all.push_back(row.name);
      return all;
    }();
    const auto near = nearest_name(entry.name, names);
    fail(ErrorKind::checkpoint, "checkpoint",
         fmt::format("{} holds no {}", printable(path_, 400), printable(entry.name)),
         near.empty() ? advice_ : fmt::format("the nearest it has is {}", printable(near)));
  }
  const auto& row = table_.tensors[index];
  const Shape& wanted = entry.global ? *entry.global : entry.value.shape();
  STRATA_CHECK(row.dtype == entry.value.dtype() && row.shape == wanted, checkpoint, "checkpoint",
               fmt::format("{}: {} is {}{}, wanted is {}{}", printable(path_, 400), printable(entry.name),
                           name_of(row.dtype), row.shape.str(), name_of(entry.value.dtype()), wanted.str()),
               "it was written by another model");
}

std::vector<std::uint8_t> Stored::wanted_by_any(const StateDict& into) const {
  std::vector<std::uint8_t> wanted(table_.tensors.size(), 0);
  for (const auto& entry : into) wanted[table_.index_of(entry.name)] = 1;
  if (!wanted.empty())
    comm_
        .all_reduce(Tensor::borrow(wanted.data(), DType::u8, {static_cast<std::int64_t>(wanted.size())}),
                    comm::Reduction::max)
        .wait();
  return wanted;
}

void Stored::read(Context& ctx, const StateDict& into) const {
  std::optional<InputFile> file;
  std::optional<HostEntries> targets;
  std::vector<Piece> pieces(table_.tensors.size());
  comm::together(comm_, [&] {
    for (const auto& entry : into) {
      check_wanted(entry);
      pieces[table_.index_of(entry.name)] = Piece(entry);
    }
    judged(path_, advice_, [&] { file.emplace("checkpoint", path_); });
    targets.emplace(ctx, table_, into, HostEntries::Use::write);
  });
  const auto segments = segments_of(table_, wanted_by_any(into));

  const auto in_place = [&](const Segment& segment) {
    std::byte* place = nullptr;
    const Part& part = segment.parts.front();
    if (segment.parts.size() > 1 || targets->entry(part.tensor) == nullptr) return place;
    pieces[part.tensor].runs(part.begin, part.end, [&](std::int64_t, std::int64_t local, std::int64_t count) {
      if (count == part.end - part.begin)
        place =
            targets->bytes(part.tensor) + static_cast<std::size_t>(local) * size_of(table_.tensors[part.tensor].dtype);
    });
    targets->drop_before(part.tensor);
    return place;
  };
  const auto take = [&](const Segment& segment, std::span<const std::byte> bytes) {
    for (const auto& part : segment.parts) {
      if (targets->entry(part.tensor) == nullptr) continue;
      const auto size = size_of(table_.tensors[part.tensor].dtype);
      const std::byte* from = bytes.data() + (part.at - segment.at);
      pieces[part.tensor].runs(part.begin, part.end, [&](std::int64_t global, std::int64_t local, std::int64_t count) {
        std::memcpy(targets->bytes(part.tensor) + static_cast<std::size_t>(local) * size,
                    from + static_cast<std::size_t>(global - part.begin) * size,
                    static_cast<std::size_t>(count) * size);
      });
    }
    targets->drop_before(segment.parts.front().tensor);
  };
  comm::together(comm_, [&] {
    judged(path_, advice_, [&] { read_segments(comm_, *file, table_, segments, in_place, take); });
    targets->drop_before(table_.tensors.size());
  });
}

// Segments are dealt to the ranks; the damaged tensors' names come to all, in order.
std::vector<std::string> Stored::damaged_tensors() const {
  std::vector<std::uint8_t> damaged(table_.tensors.size(), 0);
  comm::together(comm_, [&] {
    judged(path_, advice_, [&] {
      const InputFile file("checkpoint", path_);
      const auto segments = segments_of(table_);
      std::vector<std::byte> buffer(kPartBytes);
      for (std::size_t i = static_cast<std::size_t>(comm_.rank()); i < segments.size();
           i += static_cast<std::size_t>(comm_.size()))
        mark_damaged(file, table_, segments[i], buffer, damaged);
    });
  });
  if (!damaged.empty())
    comm_
        .all_reduce(Tensor::borrow(damaged.data(), DType::u8, {static_cast<std::int64_t>(damaged.size())}),
                    comm::Reduction::max)
        .wait();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < damaged.size(); ++i)
    if (damaged[i] != 0) names.push_back(table_.tensors[i].name);
  return names;
}

}  // namespace

std::unique_ptr<CheckpointFile> open_stored(comm::Communicator& comm, const std::string& path,
                                            const std::string& advice) {
  return std::make_unique<Stored>(comm, path, advice);
}

std::unique_ptr<CheckpointFile> open_checkpoint(const std::string& path, comm::Communicator& comm) {
  return open_stored(comm, path, "use another checkpoint of the run");
}

}  // namespace strata::io
