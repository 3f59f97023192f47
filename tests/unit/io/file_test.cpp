// SPDX-License-Identifier: Apache-2.0
#include "strata/io/file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <vector>

#include "strata/io/text.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::expect_error;
using fixtures::message_of;
using fixtures::read_all;
using fixtures::ScratchFolder;
using fixtures::write_all;

TEST(File, AppearsOnlyWhenCommitted) {
  const ScratchFolder folder;
  {
    OutputFile file("test", folder.file("a"));
    file.write("hello");
    EXPECT_FALSE(std::filesystem::exists(folder.file("a")));
    EXPECT_EQ(folder.entries(), 1);
  }
  EXPECT_EQ(folder.entries(), 0);
  OutputFile file("test", folder.file("a"));
  file.write("he");
  file.write("llo");
  file.commit();
  EXPECT_EQ(read_all(folder.file("a")), "hello");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(File, KeepsTheOldOneUntilCommit) {
  const ScratchFolder folder;
  write_all(folder.file("a"), "old");
  {
    OutputFile file("test", folder.file("a"));
    file.write("new");
    EXPECT_EQ(read_all(folder.file("a")), "old");
  }
  EXPECT_EQ(read_all(folder.file("a")), "old");
}

TEST(File, ReadsRangesAndRefusesOthers) {
  const ScratchFolder folder;
  write_all(folder.file("a"), "0123456789");
  const InputFile file("test", folder.file("a"));
  EXPECT_EQ(file.size(), 10u);
  std::array<std::byte, 4> four{};
  file.read(6, four);
  EXPECT_EQ(four[3], std::byte{'9'});
  file.read(10, std::span<std::byte>());
  const std::string name = printable(folder.file("a"), 400);
  expect_error([&] { file.read(7, four); }, ErrorKind::data,
               "[test] " + name + " has 10 bytes, 4 were wanted at byte 7");
  expect_error([&] { file.read(~std::uint64_t{0}, four); }, ErrorKind::data,
               "[test] " + name + " has 10 bytes, 4 were wanted at byte 18446744073709551615");
}

TEST(File, ReadsOneRangeIntoSeveralPlaces) {
  const fixtures::ScratchFolder scratch;
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 7);
  fixtures::write_all(scratch.file("x"), bytes);
  for (const InputFile& file :
       {InputFile("test", scratch.file("x")), InputFile("test", "x", std::as_bytes(std::span(bytes)))}) {
    std::string got(900, '\0');
    std::vector<std::span<std::byte>> parts;  // more than one call takes, some empty
    for (std::size_t at = 0, i = 0; at < got.size(); at += i++ % 7)
      parts.push_back(std::as_writable_bytes(std::span(got)).subspan(at, std::min(i % 7, got.size() - at)));
    file.read(50, parts);
    EXPECT_EQ(got, bytes.substr(50, 900));
    EXPECT_NE(fixtures::message_of([&] { file.read(101, parts); }, ErrorKind::data).find("has 1000 bytes"),
              std::string::npos);
  }
}

TEST(File, ShrinkingWhileReadIsAnErrorNotASignal) {
  const ScratchFolder folder;
  write_all(folder.file("a"), std::string(100, 'x'));
  const InputFile file("test", folder.file("a"));
  std::filesystem::resize_file(folder.file("a"), 10);
  std::vector<std::byte> all(100);
  expect_error([&] { file.read(0, all); }, ErrorKind::data,
               "[test] '" + folder.file("a") + "' became shorter while it was read: another program is writing it");
}

TEST(File, MissingFoldersAndPipes) {
  const ScratchFolder folder;
  expect_error([&] { InputFile("test", folder.file("none")); }, ErrorKind::data,
               "[test] cannot open '" + folder.file("none") + "': No such file or directory: check the path");
  expect_error([&] { InputFile("test", folder.path().string()); }, ErrorKind::data,
               "[test] '" + folder.path().string() + "' is not a regular file");
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  expect_error([&] { InputFile("test", folder.file("pipe")); }, ErrorKind::data,
               "[test] '" + folder.file("pipe") + "' is not a regular file");
}

TEST(File, UnwritableFolder) {
  const ScratchFolder folder;
  expect_error(
      [&] { OutputFile("test", folder.file("no/a")); }, ErrorKind::environment,
      "[test] cannot create '" + folder.file("no/a") + "': No such file or directory: create the folder first");
  std::filesystem::create_directory(folder.file("taken"));
  const auto onto_folder = [&] {
    OutputFile file("test", folder.file("taken"));
    file.write("x");
    file.commit();
  };
  expect_error(onto_folder, ErrorKind::environment,
               "[test] cannot rename onto '" + folder.file("taken") +
                   "': Is a directory (after 1 bytes): check that the folder exists and may be written to");
  EXPECT_EQ(folder.entries(), 1);
}

// A limit on file sizes fails a write half way, as a full disk does.
TEST(File, NothingIsLeftWhenAWriteFails) {
  const ScratchFolder folder;
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto message = message_of(
      [&] {
        OutputFile file("test", folder.file("a"));
        file.write(std::string(10000, 'x'));
        file.commit();
      },
      ErrorKind::environment);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(message, "[test] cannot write '" + folder.file("a") +
                         "': File too large (after 4096 bytes): check that the folder exists and may be written to");
  EXPECT_EQ(folder.entries(), 0);
}

}  // namespace
}  // namespace strata::io
