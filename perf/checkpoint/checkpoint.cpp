// SPDX-License-Identifier: Apache-2.0
//
// Times saving and reading checkpoints against plain files of the same bytes, and prints JSON:
//   [mpirun -n R] perf_checkpoint [--gigabytes G] [--scratch FOLDER] [--repeats N] [--sharded]
// The state is that of a ViT-B with AdamW, repeated until it has G gigabytes. Plain writing: each rank writes its part
// of one file, 4 MiB a call, and flushes it (fsync); plain reading: each rank reads its part. --sharded: every matrix
// is split in columns over the ranks, so that all but nothing of a piece of the file is on one rank. Reading is from
// the page cache. The ways take turns; figures are medians, the best beside them.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>

#include "backends/reference/reference.hpp"
#include "io/checkpoint/checkpoint.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"

namespace strata {
namespace {

struct Settings {
  double gigabytes = 0.5;
  std::string scratch = ".";
  int repeats = 5;
  bool sharded = false;
};

constexpr std::int64_t kWidth = 768, kDepth = 12;

// [rows, columns] of a block, its moments beside it.
void add_matrix(StateDict& state, const std::string& name, std::int64_t rows, std::int64_t columns,
                const Settings& settings, const comm::Communicator& world) {
  for (const std::string suffix : {"", ".exp_avg", ".exp_avg_sq"}) {
    auto box = Placement::whole({{"out", rows}, {"in", columns}});
    if (settings.sharded) box = box.shard("in", world.rank(), world.size());
    const Tensor value = host_tensor(DType::f32, box.local_shape({rows, columns}));
    float* values = value.data<float>();
    for (std::int64_t i = 0; i < value.numel(); ++i) values[i] = static_cast<float>(i) * 1e-6f;
    state.add({.name = name + suffix, .value = value, .placement = box, .global = Shape{rows, columns}});
  }
}

StateDict make_state(const Settings& settings, const comm::Communicator& world, double& bytes) {
  StateDict state;
  for (int model = 0; bytes < 1e9 * settings.gigabytes; ++model)
    for (std::int64_t block = 0; block < kDepth && bytes < 1e9 * settings.gigabytes; ++block) {
      const std::string name = fmt::format("model{}.blocks.{:02}.", model, block);
      add_matrix(state, name + "norm1.weight", 1, kWidth, settings, world);
      add_matrix(state, name + "norm1.bias", 1, kWidth, settings, world);
      add_matrix(state, name + "attn.qkv.weight", 3 * kWidth, kWidth, settings, world);
      add_matrix(state, name + "attn.qkv.bias", 3, kWidth, settings, world);
      add_matrix(state, name + "attn.proj.weight", kWidth, kWidth, settings, world);
      add_matrix(state, name + "mlp.fc1.weight", 4 * kWidth, kWidth, settings, world);
      add_matrix(state, name + "mlp.fc2.weight", kWidth, 4 * kWidth, settings, world);
      bytes += 3 * 4.0 * static_cast<double>(12 * kWidth * kWidth + 5 * kWidth);
    }
  return state;
}

class Plain {
 public:
  Plain(std::string path, double bytes, const comm::Communicator& world)
      : path_(std::move(path)), memory_(std::size_t{64} << 20, 'x') {
    const auto all = static_cast<std::int64_t>(bytes);
    begin_ = all / world.size() * world.rank();
    end_ = world.rank() + 1 == world.size() ? all : all / world.size() * (world.rank() + 1);
  }
  void write() {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT, 0666);
    move([&](char* at, std::size_t count, std::int64_t to) { return ::pwrite(file, at, count, to); });
    STRATA_CHECK(::fsync(file) == 0, environment, "perf", "fsync failed");
    ::close(file);
  }
  void read() {
    const int file = ::open(path_.c_str(), O_RDONLY);
    move([&](char* at, std::size_t count, std::int64_t from) { return ::pread(file, at, count, from); });
    ::close(file);
  }

 private:
  template <class Call>
  void move(const Call& call) {
    constexpr std::int64_t kPiece = 4 << 20;
    for (std::int64_t at = begin_; at < end_;) {
      const auto place = static_cast<std::size_t>((at - begin_) % (std::int64_t{60} << 20));
      const auto moved = call(memory_.data() + place, static_cast<std::size_t>(std::min(kPiece, end_ - at)), at);
      STRATA_CHECK(moved > 0, environment, "perf", "a plain file cannot be moved");
      at += moved;
    }
  }

  std::string path_, memory_;
  std::int64_t begin_ = 0, end_ = 0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Way {
  std::string name;
  std::function<void()> prepare, work;
  std::vector<double> rates = {};  // GB/s
};

void measure(Way& way, double bytes, comm::Communicator& world) {
  way.prepare();
  ::sync();
  world.barrier().wait();
  const auto begin = std::chrono::steady_clock::now();
  way.work();
  world.barrier().wait();
  way.rates.push_back(1e-9 * bytes / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

void run(const Settings& settings, comm::Communicator& world) {
  const KernelTable table = make_reference_table();
  Context ctx(make_reference_backend(), table);
  const std::string folder = settings.scratch + "/perf_checkpoint";
  double bytes = 0;
  const StateDict state = make_state(settings, world, bytes);
  const auto store = io::open_checkpoints(folder, world);
  store->save(ctx, 1, state, {});
  Plain plain(folder + "/plain", bytes, world);
  const auto nothing = [] {};
  const auto unlink = [&](const std::string& path) {
    world.barrier().wait();
    if (world.rank() == 0) std::filesystem::remove(path);
    world.barrier().wait();
  };
  std::vector<Way> ways{
      {"plain_write", [&] { unlink(folder + "/plain"); }, [&] { plain.write(); }},
      {"save", [&] { unlink(folder + "/" + io::checkpoint_file(1)); }, [&] { store->save(ctx, 1, state, {}); }},
      {"plain_read", nothing, [&] { plain.read(); }},
      {"read", nothing, [&] { store->open(1)->read(ctx, state); }},
      {"verify", nothing,
       [&] { io::open_checkpoint(folder + "/" + io::checkpoint_file(1), world)->damaged_tensors(); }},
  };
  for (int i = 0; i < settings.repeats; ++i)
    for (auto& way : ways) measure(way, bytes, world);
  if (world.rank() == 0) {
    std::filesystem::remove_all(folder);
    fmt::print("{{\n  \"ranks\": {}, \"gigabytes\": {:.3f}, \"tensors\": {}, \"sharded\": {},\n", world.size(),
               1e-9 * bytes, state.size(), settings.sharded);
    for (const auto& way : ways)
      fmt::print("  \"{}\": {{\"gb_per_s\": {:.2f}, \"best_gb_per_s\": {:.2f}}},\n", way.name, median(way.rates),
                 std::ranges::max(way.rates));
    fmt::print("  \"save_of_plain_write\": {:.3f}, \"read_of_plain_read\": {:.3f}\n}}\n",
               median(ways[1].rates) / median(ways[0].rates), median(ways[3].rates) / median(ways[2].rates));
  }
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  strata::Settings settings;
  CLI::App parser("Times checkpoints against plain files.");
  parser.add_option("--gigabytes", settings.gigabytes);
  parser.add_option("--scratch", settings.scratch);
  parser.add_option("--repeats", settings.repeats);
  parser.add_flag("--sharded", settings.sharded);
  CLI11_PARSE(parser, argc, argv);
  try {
    strata::comm::run_world([&](strata::comm::Communicator& world) { strata::run(settings, world); });
  } catch (const strata::Error& error) {
    std::fputs(error.block().c_str(), stderr);
    return error.exit_code();
  }
  return 0;
}
