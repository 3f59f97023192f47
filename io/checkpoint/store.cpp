// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/stored.hpp"
#include "io/checkpoint/writer.hpp"
#include "io/hdf5/shared_file.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/pack.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegin = "step-", kEnd = ".h5", kLeftover = ".tmp";

[[noreturn]] void give_up(std::string_view doing, const std::string& path, const std::error_code& code) {
  fail(ErrorKind::environment, "checkpoint",
       fmt::format("cannot {} {}: {}", doing, printable(path, 400), code.message()),
       "check that the folder exists, has room and may be written to");
}

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return std::nullopt;
  const auto digits = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || step < 0 || checkpoint_file(step) != name) return std::nullopt;
  return step;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code code;
  fs::directory_iterator entries(folder, code);
  if (code == std::errc::no_such_file_or_directory) return names;
  for (; !code && entries != fs::directory_iterator(); entries.increment(code))
    names.push_back(entries->path().filename().string());
  if (code) give_up("list", folder, code);
  return names;
}

// What killed saves have left.
void remove_leftovers(const std::string& folder) {
  for (const auto& name : names_in(folder)) {
    if (!name.starts_with(fmt::format(".{}", kBegin)) || !name.ends_with(kLeftover)) continue;
    std::error_code code;
    fs::remove(fs::path(folder) / name, code);
    if (code) give_up("remove", folder + "/" + name, code);
  }
}

std::string list_text(const std::vector<std::int64_t>& steps) {
  std::string text;
  const std::size_t first = steps.size() > 5 ? steps.size() - 5 : 0;
  for (std::size_t i = first; i < steps.size(); ++i) text += fmt::format("{}{}", i == first ? "" : ", ", steps[i]);
  return (first > 0 ? "..., " : "") + text;
}

class Store final : public CheckpointStore {
 public:
  Store(std::string folder, comm::Communicator& comm) : folder_(std::move(folder)), comm_(comm) {}

  void save(Context& ctx, std::int64_t step, const StateDict& state, const CheckpointTexts& texts) override {
    STRATA_CHECK(step >= 0, usage, "checkpoint", fmt::format("a checkpoint of step {}", step));
    const std::string name = checkpoint_file(step);
    comm::together(comm_, [&] {
      if (comm_.rank() == 0) prepare_folder();
    });
    write_checkpoint(comm_, ctx, fmt::format("{}/.{}{}", folder_, name, kLeftover), folder_ + "/" + name, step, state,
                     texts);
  }

  std::vector<std::int64_t> steps() const override {
    std::string packed;
    comm::together(comm_, [&] {
      comm::Packer packer;
      if (comm_.rank() == 0) packer.put(checkpoint_steps(folder_));
      packed = packer.take();
    });
    packed = comm::broadcast_text(comm_, std::move(packed));
    comm::Unpacker from(packed);
    return from.get<std::vector<std::int64_t>>();
  }

  std::unique_ptr<StoredCheckpoint> open(std::int64_t step) const override {
    auto others = steps();
    const auto found = std::ranges::find(others, step);
    STRATA_CHECK(found != others.end(), checkpoint, "checkpoint",
                 fmt::format("{} has no checkpoint of step {}", printable(folder_, 400), step),
                 others.empty() ? std::string("it has none at all: check the path")
                                : "it has those of steps " + list_text(others));
    others.erase(found);
    const std::string advice = others.empty() ? "there is no other checkpoint beside it: begin anew"
                                              : "use an older or newer one: steps " + list_text(others);
    auto stored = open_stored(comm_, folder_ + "/" + checkpoint_file(step), advice);
    STRATA_CHECK(stored->step() == step, checkpoint, "checkpoint",
                 fmt::format("{} is of step {}", printable(stored->path(), 400), stored->step()), advice);
    return stored;
  }

  void remove(std::int64_t step) override {
    comm::together(comm_, [&] {
      if (comm_.rank() != 0) return;
      std::error_code code;
      const std::string path = folder_ + "/" + checkpoint_file(step);
      fs::remove(path, code);
      if (code) give_up("remove", path, code);
      flush_folder(folder_);
    });
  }

 private:
  void prepare_folder() const {
    std::error_code code;
    if (fs::create_directories(folder_, code)) flush_folder(fs::path(folder_).parent_path().string());
    if (code) give_up("make", folder_, code);
    remove_leftovers(folder_);
  }

  std::string folder_;
  comm::Communicator& comm_;
};

}  // namespace

std::string checkpoint_file(std::int64_t step) { return fmt::format("{}{:09}{}", kBegin, step, kEnd); }

std::vector<std::int64_t> checkpoint_steps(const std::string& folder) {
  std::vector<std::int64_t> steps;
  for (const auto& name : names_in(folder))
    if (const auto step = step_of(name)) steps.push_back(*step);
  std::ranges::sort(steps);
  return steps;
}

std::unique_ptr<CheckpointStore> open_checkpoints(const std::string& folder, comm::Communicator& comm) {
  return std::make_unique<Store>(folder, comm);
}

}  // namespace strata::io
