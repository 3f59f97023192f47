// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "io/dicom/dicom.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io::dicom {
namespace {

namespace fs = std::filesystem;
using fixtures::ScratchFolder;
using fixtures::write_all;

TEST(DicomFiles, AreListedSortedWhateverTheirNames) {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path() / "b/c");
  for (const char* name : {"b/c/IM1", "b/2.dcm", "a", "z.txt"}) write_all(scratch.file(name), "x");
  const std::vector<std::string> expected{scratch.file("a"), scratch.file("b/2.dcm"), scratch.file("b/c/IM1"),
                                          scratch.file("z.txt")};
  EXPECT_EQ(list_files(scratch.path().string()), expected);
  EXPECT_EQ(list_files(scratch.file("a")), std::vector{scratch.file("a")});
}

TEST(DicomFiles, LoopsOfLinksEndAndLinkedFoldersCountOnce) {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path() / "a");
  write_all(scratch.file("a/1"), "x");
  fs::create_directory_symlink(scratch.path(), scratch.path() / "a/up");
  fs::create_directory_symlink(scratch.path() / "a", scratch.path() / "b");
  fs::create_symlink(scratch.path() / "nowhere", scratch.path() / "dangling");
  EXPECT_EQ(list_files(scratch.path().string()).size(), 1U);
}

TEST(DicomFiles, PipesArePassedOver) {
  const ScratchFolder scratch;
  ASSERT_EQ(::mkfifo(scratch.file("pipe").c_str(), 0600), 0);
  write_all(scratch.file("file"), "x");
  EXPECT_EQ(list_files(scratch.path().string()), std::vector{scratch.file("file")});
}

TEST(DicomFiles, AMissingRootIsADataError) {
  fixtures::expect_error(
      [] { list_files("/no such folder"); }, ErrorKind::data,
      "[dicom] there is no file or folder '/no such folder': give the folder that holds the studies");
}

}  // namespace
}  // namespace strata::io::dicom
