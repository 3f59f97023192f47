// SPDX-License-Identifier: Apache-2.0
// Damaged, cut off and foreign files; saves that are killed or find the disk full.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "io/checkpoint/checkpoint.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/numbered_state.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;
using fixtures::zeroed;

class DamagedCheckpoints : public testing::Test {
 protected:
  DamagedCheckpoints() { save(100); }

  static StateDict state() {
    StateDict state;
    state.add("first.weight", zeroed(DType::f32, {40, 30}));
    state.add("second.weight", zeroed(DType::f32, {1100, 1000}));  // two parts
    state.add("second.step", zeroed(DType::i64, {}));
    return state;
  }
  void save(std::int64_t step) {
    const StateDict filled = state();
    fixtures::fill(filled);
    store()->save(device_.ctx, step, filled, {{"config.yaml", "a: 1\n"}});
  }
  void read(std::int64_t step) {
    const StateDict into = state();
    store()->open(step)->read(device_.ctx, into);
    fixtures::expect_filled(into);
  }
  std::string reading_error() {
    return message_of([&] { read(100); }, ErrorKind::checkpoint);
  }
  std::unique_ptr<CheckpointStore> store() { return open_checkpoints(folder(), *local_); }
  std::string folder() const { return scratch_.path().string(); }
  std::string path(std::int64_t step = 100) const { return folder() + "/" + checkpoint_file(step); }
  std::size_t number_in_header(const std::string& name) const {
    const std::string all = fixtures::read_all(path()), mark = "\"" + name + "\":";
    return std::stoul(all.substr(all.find(mark) + mark.size(), 20));
  }

  fixtures::ScratchFolder scratch_;
  fixtures::ReferenceDevice device_;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
};

TEST_F(DamagedCheckpoints, ADamagedTensorIsFoundAndNamed) {
  save(90);
  const std::string whole = fixtures::read_all(path());
  std::string damaged = whole;
  damaged[number_in_header("data_end") - 10] ^= 1;  // the end of the last one by name
  fixtures::write_all(path(), damaged);
  const std::string said = reading_error();
  EXPECT_NE(said.find(path()), std::string::npos) << said;
  EXPECT_NE(said.find("'second.weight' is damaged: the checksum of its elements [1048576, 1100000) is wrong"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("use an older or newer one: steps 90"), std::string::npos) << said;
  EXPECT_EQ(open_checkpoint(path(), *local_)->damaged_tensors(), std::vector<std::string>{"second.weight"});
  EXPECT_TRUE(open_checkpoint(path(90), *local_)->damaged_tensors().empty());
  StateDict other;  // what is not damaged can be read
  other.add("first.weight", zeroed(DType::f32, {40, 30}));
  store()->open(100)->read(device_.ctx, other);
  fixtures::expect_filled(other);
}

TEST_F(DamagedCheckpoints, EveryByteOfHeaderAndTablesIsChecked) {
  std::string bytes = fixtures::read_all(path());
  const std::size_t text_end = bytes.find('\0'), end = number_in_header("data_at");
  const std::size_t back = number_in_header("data_end");
  const auto stays = [&](std::size_t at) { return (at >= text_end && at < 4096) || (at >= end && at < back); };
  int tried = 0;
  for (std::size_t at = 0; at < bytes.size(); at += at < text_end ? 1 : 97) {
    if (at >= end && at < back) at = back;
    if (at == bytes.size()) break;
    if (stays(at)) continue;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x15);
    fixtures::write_all(path(), bytes);
    const std::string said = message_of([&] { store()->open(100); }, ErrorKind::checkpoint);
    ASSERT_NE(said.find(checkpoint_file(100)), std::string::npos) << at << ": " << said;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x15);
    ++tried;
  }
  EXPECT_GT(tried, 150);
}

TEST_F(DamagedCheckpoints, CutOffAndForeignFilesAreNamed) {
  const std::string whole = fixtures::read_all(path());
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{4096}, number_in_header("data_at"),
                                 whole.size() / 2, whole.size() - 1}) {
    fixtures::write_all(path(), std::string_view(whole).substr(0, size));
    const std::string said = reading_error();
    EXPECT_NE(said.find(checkpoint_file(100)), std::string::npos) << said;
    EXPECT_NE(said.find("there is no other checkpoint beside it"), std::string::npos) << said;
  }
  fixtures::write_all(path(), whole + "x");
  EXPECT_NE(reading_error().find("bytes, its header says"), std::string::npos);
  fixtures::write_all(path(), std::string(10000, 'x'));
  EXPECT_NE(reading_error().find("does not begin like a checkpoint"), std::string::npos);
  fixtures::write_all(path(99), whole);
  EXPECT_NE(message_of([&] { store()->open(99); }, ErrorKind::checkpoint).find("is of step 100"), std::string::npos);
  EXPECT_NE(
      message_of([&] { open_checkpoint(folder() + "/absent.h5", *local_); }, ErrorKind::checkpoint).find("absent.h5"),
      std::string::npos);
}

// What the save of step 200 says in a child process with limits of its own, and what it leaves.
template <class Prepare>
int save_in_child(const std::function<void()>& save, const Prepare& prepare) {
  const pid_t child = ::fork();
  if (child == 0) {
    prepare();
    int code = 0;
    try {
      save();
    } catch (const Error& error) {
      const bool clear = std::string(error.what()).find("[checkpoint] cannot") == 0;
      code = clear ? error.exit_code() : 99;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(DamagedCheckpoints, ALimitOnFileSizesIsOneClearErrorAndLeavesTheOlderOnes) {
  for (const rlim_t limit : {rlim_t{0}, rlim_t{10'000}, rlim_t{1'000'000}, rlim_t{4'400'000}}) {
    const int code = save_in_child([&] { save(200); },
                                   [&] {
                                     ::signal(SIGXFSZ, SIG_IGN);
                                     const rlimit few{limit, limit};
                                     ::setrlimit(RLIMIT_FSIZE, &few);
                                   });
    EXPECT_EQ(code, static_cast<int>(ErrorKind::environment)) << limit;
    EXPECT_EQ(scratch_.entries(), 1) << limit;
    read(100);
  }
}

TEST_F(DamagedCheckpoints, AKilledSaveLeavesTheOlderOnes) {
  std::mt19937 random(3);
  int killed = 0;
  const std::string temporary = folder() + "/." + checkpoint_file(200) + ".tmp";
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) save(200);
    }
    for (int i = 0; i < 20'000 && !std::filesystem::exists(temporary); ++i) ::usleep(100);
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 20'000)(random));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto steps = store()->steps();
    ASSERT_TRUE(steps == std::vector<std::int64_t>{100} || steps == (std::vector<std::int64_t>{100, 200}));
    read(steps.back());
    killed += std::filesystem::remove(temporary) ? 1 : 0;
    std::filesystem::remove(path(200));
  }
  EXPECT_GT(killed, 0);  // some were in the middle
  fixtures::write_all(temporary, "left");
  save(200);
  EXPECT_EQ(scratch_.entries(), 2);
}

}  // namespace
}  // namespace strata::io
