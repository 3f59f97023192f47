// SPDX-License-Identifier: Apache-2.0
//
// Every volume against what pydicom makes of the same files (tools/make_dicom_golden.py): values by checksum, matrix,
// spacing, directions and positions.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/fixtures/real_data.hpp"
#include "tests/unit/io/dicom/loaded.hpp"

namespace strata::io::dicom {
namespace {

using nlohmann::json;

// CRC-32 as zlib computes it, over the bytes of the values.
std::uint32_t crc32_of(const std::vector<float>& values) {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t entry = i;
    for (int bit = 0; bit < 8; ++bit) entry = entry >> 1 ^ (entry & 1 ? 0xedb88320U : 0U);
    table[i] = entry;
  }
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : std::as_bytes(std::span(values)))
    crc = crc >> 8 ^ table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

bool near(const study::Vec3& a, const json& b, double factor = 1) {
  for (std::size_t i = 0; i < 3; ++i)
    if (std::abs(a[i] - factor * b[i].get<double>()) > 1e-6) return false;
  return true;
}

bool same_geometry(const study::SliceStack& stack, const json& golden) {
  if (golden["shape"] != json{stack.slices(), stack.height, stack.width}) return false;
  if (!near(stack.step_h, golden["column"], golden["spacing"][0])) return false;
  if (!near(stack.step_w, golden["row"], golden["spacing"][1])) return false;
  for (std::size_t i = 0; i < stack.origins.size(); ++i)
    if (!near(stack.origins[i], golden["positions"][i])) return false;
  return true;
}

// Takes the golden volume that equals this one out of the list.
bool take(const StackRead& volume, std::vector<json>& goldens) {
  const std::uint32_t crc = crc32_of(volume.stack.voxels);
  const auto found = std::ranges::find_if(goldens, [&](const json& golden) {
    return golden["series_number"] == volume.tags.series_number && golden["crc32"] == crc &&
           same_geometry(volume.stack, golden);
  });
  if (found == goldens.end()) return false;
  goldens.erase(found);
  return true;
}

std::map<std::string, std::vector<json>> goldens_by_folder() {
  std::ifstream stream(STRATA_GOLDEN_DATA "/dicom_volumes.json");
  const json golden = json::parse(stream);
  std::map<std::string, std::vector<json>> folders;
  for (const json& volume : golden["volumes"]) folders[volume["folder"]].push_back(volume);
  return folders;
}

TEST(Pydicom, FindsTheSameVolumesWithTheSameValuesAndPositions) {
  if (!fixtures::real_data("ct_ge_head")) GTEST_SKIP() << fixtures::kNoRealData;
  std::size_t volumes = 0;
  for (auto& [folder, goldens] : goldens_by_folder()) {
    const auto path = fixtures::real_data(folder);
    ASSERT_TRUE(path) << folder;
    const Loaded loaded = load_folder(*path, {.min_slices = 1});
    for (const StackRead& volume : loaded.volumes)
      EXPECT_TRUE(take(volume, goldens)) << folder << ", series " << volume.tags.series_number;
    EXPECT_TRUE(goldens.empty()) << folder << " lacks " << goldens.size() << " volumes, the first of series "
                                 << goldens.front()["series_number"];
    volumes += loaded.volumes.size();
  }
  EXPECT_GE(volumes, 55U);
}

}  // namespace
}  // namespace strata::io::dicom
