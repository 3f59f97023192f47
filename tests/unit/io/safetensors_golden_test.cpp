// SPDX-License-Identifier: Apache-2.0
// Files written by the format's own library: the published encoder's goldens, where STRATA_GOLDEN_DIR names their
// folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "io/safetensors/safetensors.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

std::vector<std::string> golden_files() {
  std::vector<std::string> files;
  const char* folder = std::getenv("STRATA_GOLDEN_DIR");
  if (folder == nullptr || !std::filesystem::is_directory(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
  std::ranges::sort(files);
  return files;
}

TEST(SafetensorsGolden, EveryFileReadsAndComesBackUnchanged) {
  const auto files = golden_files();
  if (files.empty()) GTEST_SKIP() << "STRATA_GOLDEN_DIR names no folder with golden files";
  const fixtures::ScratchFolder folder;
  for (const auto& path : files) {
    SCOPED_TRACE(path);
    const SafetensorsFile file(path);
    EXPECT_FALSE(file.entries().empty());
    EXPECT_FALSE(file.metadata().empty());
    const StateDict state = read_safetensors(path);
    for (const auto& entry : state) EXPECT_FALSE(first_non_finite(entry.value)) << entry.name;
    write_safetensors(folder.file("copy"), state, file.metadata());
    const SafetensorsFile copy(folder.file("copy"));
    EXPECT_EQ(copy.metadata(), file.metadata());
    ASSERT_EQ(copy.entries().size(), state.size());
    for (const auto& entry : state) {
      const Tensor back = copy.load(entry.name);
      ASSERT_EQ(back.spec(), entry.value.spec()) << entry.name;
      EXPECT_EQ(std::memcmp(back.raw(), entry.value.raw(), back.bytes()), 0) << entry.name;
    }
  }
}

TEST(SafetensorsGolden, PublishedNamesStay) {
  const auto files = golden_files();
  const auto at =
      std::ranges::find_if(files, [](const std::string& f) { return f.ends_with("/hlip_h2_scan_study.safetensors"); });
  if (at == files.end()) GTEST_SKIP() << "STRATA_GOLDEN_DIR has no hlip_h2_scan_study.safetensors";
  const SafetensorsFile file(*at);
  EXPECT_NE(file.find("visual.trunk.cls_token"), nullptr);
  EXPECT_NE(file.find("visual.head.proj.weight"), nullptr);
}

}  // namespace
}  // namespace strata::io
