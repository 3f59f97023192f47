// SPDX-License-Identifier: Apache-2.0
//
// Times the loader over a shard set against a plain sequential read of the same files, cold and warm, and prints JSON:
//   perf_io [--folder SET] [--threads N] [--gigabytes G] [--repeats R]
// Without --folder it writes a set of random voxels and removes it again. GB/s of the loader count the voxels that were
// read in training's order, those of a plain read the bytes of the files; plain reads deal the files to as many
// threads. Cold: the files' pages are dropped from the page cache (posix_fadvise), and what stayed is reported. Every
// figure is the median of the repeats, the best beside it; the kinds of reading take turns, so that a slow moment
// hits all of them.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "io/shard/shard_set.hpp"
#include "parallel/comm/local.hpp"
#include "strata/base/error.hpp"
#include "strata/base/random.hpp"
#include "strata/data/loader.hpp"

namespace strata {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string folder, scratch = ".";
  double gigabytes = 1.5;
  int threads = 2, repeats = 5, cold_repeats = 2;
  std::int64_t batch_studies = 32, scans_a_batch = 16, buffers = 4;
  bool verify = false;
  std::string mode = "probe";
};

// --- a set to read ---

study::StoredStudy random_study(std::int64_t index, const study::StoredGrid& grid) {
  study::StoredStudy study;
  study.key = fmt::format("{:016x}", index);
  study.patient = study.key;
  study.split = "train";
  study.report = {"No acute intracranial abnormality."};
  const auto ordinal = static_cast<std::uint64_t>(index);
  const auto scans = 1 + random_below(random_word({1, RandomPurpose::test}, {.ordinal = ordinal}, 0), 8);
  for (std::uint32_t s = 0; s < scans; ++s) {
    auto& scan = study.scans.emplace_back();
    scan.geometry.extents = grid.extents;
    scan.geometry.steps = {{{0, 0, 4}, {0, 1, 0}, {1, 0, 0}}};
    scan.intensity.resize(static_cast<std::size_t>(grid.channels));
    scan.window = "percentiles";
    scan.modality = "MR";
    scan.series = fmt::format("{:014x}{:02x}", index, s);
    scan.voxels.resize(static_cast<std::size_t>(grid.scan_bytes()));
    std::uint64_t state = ordinal * 64 + s + 1;
    for (auto& voxel : scan.voxels) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      voxel = static_cast<std::byte>(state >> 56);
    }
  }
  return study;
}

void write_set(const std::string& folder, double bytes, comm::Communicator& comm) {
  io::SetDescription description;
  description.grid = {.channels = 1, .extents = {48, 224, 224}, .dtype = DType::u8, .value_scale = 1.0 / 255};
  description.profile = "random voxels\n";
  fs::create_directories(folder);
  std::int64_t number = 0, index = 0;
  for (double written = 0; written < bytes; ++number) {
    std::vector<study::StoredStudy> studies;
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < 16; ++i) {
      studies.push_back(random_study(index++, description.grid));
      positions.push_back(i);
      written += static_cast<double>(studies.back().scans.size()) * static_cast<double>(description.grid.scan_bytes());
    }
    io::write_shard(comm, folder, number, description, studies, positions);
  }
  io::finish_set(comm, folder, number);
}

// --- the page cache ---

std::vector<std::string> shard_paths(const io::ShardSet& set, const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& shard : set.shards()) paths.push_back(folder + "/" + shard.file);
  return paths;
}

class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    STRATA_CHECK(fd_ >= 0, data, path, "cannot be opened");
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

void drop_pages(const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    const File file(path);
    ::fdatasync(file.fd());
    ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

double resident_share(const std::vector<std::string>& paths) {
  std::size_t pages = 0, resident = 0;
  for (const auto& path : paths) {
    const File file(path);
    const auto bytes = static_cast<std::size_t>(fs::file_size(path));
    void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd(), 0);
    if (map == MAP_FAILED) continue;
    std::vector<unsigned char> state((bytes + 4095) / 4096);
    if (::mincore(map, bytes, state.data()) == 0) {
      pages += state.size();
      resident += static_cast<std::size_t>(std::ranges::count_if(state, [](unsigned char c) { return (c & 1) != 0; }));
    }
    ::munmap(map, bytes);
  }
  return pages == 0 ? 0 : static_cast<double>(resident) / static_cast<double>(pages);
}

// --- three ways to read ---

// As the loader's buffers are.
std::shared_ptr<char> huge_pages(std::size_t bytes) {
  constexpr std::size_t kPage = std::size_t{2} << 20;
  const std::size_t rounded = (bytes + kPage - 1) / kPage * kPage;
  char* data = static_cast<char*>(std::aligned_alloc(kPage, rounded));
  ::madvise(data, rounded, MADV_HUGEPAGE);
  std::memset(data, 1, rounded);
  return {data, [](char* p) { std::free(p); }};
}

// Each thread reads its files from beginning to end, `chunk` bytes at a time, over and over into `bytes` of memory.
std::function<double()> plain(const std::vector<std::string>& paths, int threads, std::size_t bytes) {
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  std::vector<std::shared_ptr<char>> memory;
  const std::size_t share = std::max(kChunk, bytes / static_cast<std::size_t>(threads) / kChunk * kChunk);
  for (int t = 0; t < threads; ++t) memory.push_back(huge_pages(share));
  return [=] {
    std::vector<std::thread> workers;
    std::vector<double> read(static_cast<std::size_t>(threads), 0);
    for (std::size_t t = 0; t < read.size(); ++t)
      workers.emplace_back([&, t] {
        char* into = memory[t].get();
        std::size_t at = 0;
        for (std::size_t i = t; i < paths.size(); i += read.size()) {
          const File file(paths[i]);
          for (ssize_t n = 0; (n = ::read(file.fd(), into + at, kChunk)) > 0; at = (at + kChunk) % share)
            read[t] += static_cast<double>(n);
        }
      });
    for (auto& worker : workers) worker.join();
    double sum = 0;
    for (const double n : read) sum += n;
    return sum;
  };
}

// One pass over the set: as many steps as an epoch has, and what was read ahead by then; counted by what the source
// read.
std::function<double()> load(data::Loader& loader, std::int64_t steps) {
  return [&loader, steps] {
    const auto before = loader.statistics().bytes_read;
    const auto target = loader.state().position + steps * loader.options().batch_studies;
    while (loader.state().position < target) loader.next();
    loader.seek(loader.state());  // threads end here
    return static_cast<double>(loader.statistics().bytes_read - before);
  };
}

struct Rate {
  std::vector<double> rates;  // GB/s
  double cpu_seconds = 0, bytes = 0;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void measure(const std::function<double()>& pass, Rate& rate) {
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  const double bytes = pass();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  rate.cpu_seconds += cpu_seconds() - cpu;
  rate.bytes += bytes;
  rate.rates.push_back(1e-9 * bytes / seconds);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void print(const std::string& name, const Rate& rate) {
  fmt::print("    \"{}\": {{\"gb_per_s\": {:.2f}, \"best_gb_per_s\": {:.2f}, \"cpu_seconds_per_gb\": {:.3f}}},\n", name,
             median(rate.rates), std::ranges::max(rate.rates), rate.cpu_seconds / (1e-9 * rate.bytes));
}

struct Ways {
  std::vector<std::pair<std::string, std::function<double()>>> list;
};

void compare(const std::string& title, const Ways& ways, int repeats, const std::function<void()>& before, bool last) {
  std::vector<Rate> rates(ways.list.size());
  for (int i = 0; i < repeats; ++i)
    for (std::size_t w = 0; w < rates.size(); ++w) {
      before();
      measure(ways.list[w].second, rates[w]);
    }
  fmt::print("  \"{}\": {{\n", title);
  for (std::size_t w = 0; w < rates.size(); ++w) print(ways.list[w].first, rates[w]);
  fmt::print("    \"loader_of\": {{");
  for (std::size_t w = 0; w + 1 < rates.size(); ++w)
    fmt::print("{}\"{}\": {:.3f}", w == 0 ? "" : ", ", ways.list[w].first,
               median(rates.back().rates) / median(rates[w].rates));
  fmt::print("}}\n  }}{}\n", last ? "" : ",");
  std::fflush(stdout);
}

void run(const Settings& settings, const std::string& folder, comm::Communicator& comm) {
  io::ShardOptions shard_options;
  shard_options.mode = io::parse_read_mode(settings.mode);
  shard_options.verify = settings.verify;
  const std::shared_ptr<io::ShardSet> set = io::open_shards(folder, shard_options, comm);
  const auto paths = shard_paths(*set, folder);
  const auto scan_bytes = set->grid().scan_bytes();

  data::LoaderOptions options;
  options.seed = 1;
  options.batch_studies = std::min(settings.batch_studies, set->studies());
  options.packing = {.tokens_a_scan = 1, .token_budget = settings.scans_a_batch};
  options.threads = settings.threads;
  options.buffer_bytes = settings.buffers * std::max<std::int64_t>(settings.scans_a_batch, 8) * scan_bytes;
  data::Loader loader({{set, 0}}, options);
  const std::int64_t steps = set->studies() / options.batch_studies;

  Ways ways;
  ways.list.emplace_back("plain_read_of_one_thread", plain(paths, 1, 0));
  ways.list.emplace_back("plain_read", plain(paths, settings.threads, 0));
  ways.list.emplace_back("plain_read_into_memory",
                         plain(paths, settings.threads, static_cast<std::size_t>(options.buffer_bytes)));
  ways.list.emplace_back("loader", load(loader, steps));
  fmt::print("{{\n  \"studies\": {}, \"files\": {}, \"scan_bytes\": {}, \"threads\": {}, \"mode\": \"{}\",\n",
             set->studies(), paths.size(), scan_bytes, settings.threads, name_of(set->mode()));
  if (settings.repeats > 0) {
    for (const auto& way : ways.list) way.second();  // files come into the page cache, memory is touched
    fmt::print("  \"resident_when_warm\": {:.3f},\n", resident_share(paths));
    compare(
        "warm", ways, settings.repeats, [] {}, settings.cold_repeats == 0);
  }
  if (settings.cold_repeats > 0) {
    drop_pages(paths);
    fmt::print("  \"resident_when_cold\": {:.3f},\n", resident_share(paths));
    compare(
        "cold", ways, settings.cold_repeats, [&] { drop_pages(paths); }, true);
  }
  fmt::print("}}\n");
}

int main_of(int argc, char** argv) {
  Settings settings;
  CLI::App app("The loader over a shard set against a plain read of the same files");
  app.add_option("--folder", settings.folder, "a finished shard set; without it one is made and removed");
  app.add_option("--scratch", settings.scratch, "where to make it")->capture_default_str();
  app.add_option("--gigabytes", settings.gigabytes, "of the set that is made")->capture_default_str();
  app.add_option("--threads", settings.threads, "that read")->capture_default_str();
  app.add_option("--repeats", settings.repeats, "warm ones")->capture_default_str();
  app.add_option("--cold-repeats", settings.cold_repeats, "")->capture_default_str();
  app.add_option("--batch-studies", settings.batch_studies, "studies a step")->capture_default_str();
  app.add_option("--scans", settings.scans_a_batch, "scans a micro-batch")->capture_default_str();
  app.add_option("--buffers", settings.buffers, "micro-batches of memory")->capture_default_str();
  app.add_option("--mode", settings.mode, "probe, direct, independent")->capture_default_str();
  app.add_flag("--verify", settings.verify, "checksums");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto comm = comm::make_local();
    const bool make = settings.folder.empty();
    const std::string folder = make ? settings.scratch + "/perf_io_shards" : settings.folder;
    if (make) write_set(folder, settings.gigabytes * 1e9, *comm);
    run(settings, folder, *comm);
    if (make) fs::remove_all(folder);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.block());
    return error.exit_code();
  }
  return 0;
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) { return strata::main_of(argc, argv); }
