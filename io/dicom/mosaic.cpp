// SPDX-License-Identifier: Apache-2.0
//
// Tiled mosaics: a whole volume in one image. Siemens keeps the number of tiles in (0019,xx0A), the slice normal in its
// CSA header (0029,xx10) and the distance in Spacing Between Slices; the position is that of a single image as large as
// the mosaic about the first slice's centre. UIH keeps one item a tile, with its position, in (0065,xx51).
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "io/dicom/fields.hpp"
#include "io/dicom/frames.hpp"

namespace strata::io::dicom {
namespace {

using study::Vec3;

constexpr std::int32_t kMostTiles = 1024;
constexpr std::string_view kSiemens = "SIEMENS MR HEADER", kUih = "Image Private Header";

Verdict refuse(std::string detail) { return {Reason::mosaic, std::move(detail)}; }

bool has_part(std::string_view image_type, std::string_view part) {
  return image_type.find(part) != std::string_view::npos;
}

std::uint32_t u32_at(std::span<const Uint8> bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < 4) return 0;
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

// Up to three numbers of a tag of the CSA header: "SV10", 4 bytes, tag count, 77; a tag: name[64], vm, vr[4], syngodt,
// item count, 77 or 205; an item: four lengths, text padded to 4 bytes.
class CsaHeader {
 public:
  explicit CsaHeader(std::span<const Uint8> bytes) : bytes_(bytes) {}

  std::optional<Vec3> vector(std::string_view wanted) const {
    if (bytes_.size() < 16 || std::memcmp(bytes_.data(), "SV10", 4) != 0) return std::nullopt;
    const std::uint32_t tags = u32_at(bytes_, 8);
    std::size_t at = 16;
    for (std::uint32_t tag = 0; tag < tags && at + 84 <= bytes_.size(); ++tag) {
      const char* name = reinterpret_cast<const char*>(bytes_.data() + at);
      const bool here = std::string_view(name, strnlen(name, 64)) == wanted;
      const std::uint32_t items = u32_at(bytes_, at + 76);
      at += 84;
      if (here) return vector_at(at, items);
      for (std::uint32_t item = 0; item < items; ++item)
        if (!pass_item(at)) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  // Moves behind an item and returns its text.
  std::optional<std::string_view> pass_item(std::size_t& at) const {
    if (at > bytes_.size() || bytes_.size() - at < 16) return std::nullopt;
    const std::size_t length = u32_at(bytes_, at + 4);
    at += 16;
    if (length > bytes_.size() - at) return std::nullopt;
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data() + at), length);
    at += (length + 3) / 4 * 4;
    return text;
  }

  std::optional<Vec3> vector_at(std::size_t at, std::uint32_t items) const {
    Vec3 vector{};
    for (std::size_t i = 0; i < 3; ++i) {
      if (i >= items) return std::nullopt;
      auto text = pass_item(at);
      if (!text) return std::nullopt;
      text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
      if (std::from_chars(text->data(), text->data() + text->size(), vector[i]).ec != std::errc()) return std::nullopt;
    }
    return vector;
  }

  std::span<const Uint8> bytes_;
};

// The header rounds it; its direction decides which of the plane's two normals the tiles follow.
std::optional<Vec3> rounded_normal(DcmItem& item) {
  DcmElement* header = private_element(item, 0x0029, "SIEMENS CSA HEADER", 0x10);
  Uint8* bytes = nullptr;
  constexpr Uint32 kLongestHeader = 1 << 22;  // real ones have 10 to 20 kB
  if (header == nullptr || header->getLengthField() > kLongestHeader) return std::nullopt;
  if (header->getUint8Array(bytes).bad() || bytes == nullptr) return std::nullopt;
  const auto lps = CsaHeader({bytes, header->getLength()}).vector("SliceNormalVector");
  if (!lps) return std::nullopt;
  return Vec3{-(*lps)[0], -(*lps)[1], (*lps)[2]};
}

// Tiles fill the image row by row.
bool place_tiles(std::int32_t across, std::int32_t down, FileRecord& record) {
  if (record.pixels.frames != 1 || record.pixels.rows % down != 0 || record.pixels.columns % across != 0) return false;
  record.rows = record.pixels.rows / down, record.columns = record.pixels.columns / across;
  return true;
}

std::int32_t side_of(std::int32_t tiles) { return static_cast<std::int32_t>(std::ceil(std::sqrt(tiles))); }

Frame tile_of(const Frame& whole, std::int32_t tile, const FileRecord& record) {
  const std::int32_t across = record.pixels.columns / record.columns;
  Frame frame = whole;
  frame.top = tile / across * record.rows;
  frame.left = tile % across * record.columns;
  return frame;
}

Vec3 exact_normal(const Frame& frame, const Vec3& rounded) {
  const Vec3 &a = frame.row, &b = frame.column;
  Vec3 normal{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
  if (normal[0] * rounded[0] + normal[1] * rounded[1] + normal[2] * rounded[2] < 0)
    for (double& x : normal) x = -x;
  return normal;
}

Verdict read_siemens(DcmItem& item, FileRecord& record) {
  const auto tiles = private_number(item, 0x0019, kSiemens, 0x0a);
  if (!tiles || !(*tiles >= 1 && *tiles <= kMostTiles)) return refuse("the number of tiles is not known");
  const auto rounded = rounded_normal(item);
  const auto step = number_of(item, DCM_SpacingBetweenSlices);
  if (!rounded || !step || !(*step > 0)) return refuse("normal or distance of the tiles is not known");
  const std::int32_t side = side_of(static_cast<std::int32_t>(*tiles));  // a square, its last rows may be empty
  if (!place_tiles(side, side, record)) return refuse("the tiles do not fill the image");
  Frame whole;
  if (Verdict verdict = read_plane(item, record, whole, true); verdict.reason != Reason::none) return verdict;
  const Vec3 normal = exact_normal(whole, *rounded);
  const double right = 0.5 * whole.spacing_w * (record.pixels.columns - record.columns);
  const double down = 0.5 * whole.spacing_h * (record.pixels.rows - record.rows);
  for (std::int32_t tile = 0; tile < static_cast<std::int32_t>(*tiles); ++tile) {
    Frame frame = tile_of(whole, tile, record);
    for (std::size_t i = 0; i < 3; ++i)
      frame.position[i] += right * whole.row[i] + down * whole.column[i] + tile * *step * normal[i];
    if (Verdict verdict = settle_plane(frame); verdict.reason != Reason::none) return verdict;
    record.frames.push_back(frame);
  }
  return {};
}

Verdict read_uih(DcmItem& item, FileRecord& record) {
  auto* items = dynamic_cast<DcmSequenceOfItems*>(private_element(item, 0x0065, kUih, 0x51));
  if (items == nullptr || items->card() == 0 || items->card() > kMostTiles)
    return refuse("the places of the tiles are not known");
  const auto tiles = static_cast<std::int32_t>(items->card());
  const std::int32_t across = side_of(tiles);
  if (!place_tiles(across, (tiles + across - 1) / across, record)) return refuse("the tiles do not fill the image");
  Frame whole;
  if (Verdict verdict = read_plane(item, record, whole, false); verdict.reason != Reason::none) return verdict;
  DcmObject* next = nullptr;
  for (std::int32_t tile = 0; tile < tiles; ++tile) {
    next = items->nextInContainer(next);
    const auto lps = vector_of(*static_cast<DcmItem*>(next), DCM_ImagePositionPatient);
    if (!lps) return refuse("a tile without position");
    Frame frame = tile_of(whole, tile, record);
    frame.position = {-(*lps)[0], -(*lps)[1], (*lps)[2]};
    if (Verdict verdict = settle_plane(frame); verdict.reason != Reason::none) return verdict;
    record.frames.push_back(frame);
  }
  return {};
}

}  // namespace

bool is_mosaic(DcmItem& item, const FileRecord& record) {
  if (record.tags.modality != "MR") return false;
  if (has_part(record.image_type, "MOSAIC") || has_part(record.image_type, "VFRAME")) return true;
  return private_element(item, 0x0065, kUih, 0x51) != nullptr;
}

Verdict read_mosaic(DcmItem& item, FileRecord& record) {
  Verdict verdict = has_part(record.image_type, "MOSAIC") ? read_siemens(item, record) : read_uih(item, record);
  if (verdict.reason != Reason::none) record.frames.clear();
  return verdict;
}

}  // namespace strata::io::dicom
