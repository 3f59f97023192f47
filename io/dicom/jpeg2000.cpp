// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <openjpeg.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "io/dicom/decode.hpp"
#include "strata/base/error.hpp"

namespace strata::io::dicom {
namespace {

constexpr std::uint64_t kMostTiles = 4096;

[[noreturn]] void broken(std::string_view what) { fail(ErrorKind::data, "dicom", fmt::format("JPEG 2000: {}", what)); }

// OpenJPEG's stream of bytes in memory.
struct Source {
  std::span<const std::byte> bytes;
  std::size_t position = 0;
};

OPJ_SIZE_T read_some(void* into, OPJ_SIZE_T length, void* user) {
  auto& source = *static_cast<Source*>(user);
  const std::size_t count = std::min<std::size_t>(length, source.bytes.size() - source.position);
  if (count == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(into, source.bytes.data() + source.position, count);
  source.position += count;
  return count;
}

OPJ_OFF_T skip_some(OPJ_OFF_T length, void* user) {
  auto& source = *static_cast<Source*>(user);
  const auto left = static_cast<OPJ_OFF_T>(source.bytes.size() - source.position);
  const OPJ_OFF_T count = std::clamp<OPJ_OFF_T>(length, 0, left);
  source.position += static_cast<std::size_t>(count);
  return count;
}

OPJ_BOOL seek_to(OPJ_OFF_T position, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (position < 0 || static_cast<std::size_t>(position) > source.bytes.size()) return OPJ_FALSE;
  source.position = static_cast<std::size_t>(position);
  return OPJ_TRUE;
}

struct Delete {
  void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};
struct DeleteStream {  // opj_codec_t and opj_stream_t are the same type, void*
  void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
};

// A bare codestream begins with SOC and SIZ; in a JP2 file the boxes before it say nothing that the header does not.
std::span<const std::byte> codestream_in(std::span<const std::byte> stream) {
  constexpr std::array<std::byte, 4> kBegin{std::byte{0xff}, std::byte{0x4f}, std::byte{0xff}, std::byte{0x51}};
  const auto found = std::search(stream.begin(), stream.end(), kBegin.begin(), kBegin.end());
  if (found == stream.end()) broken("there is no codestream");
  return {found, stream.end()};
}

// Before OpenJPEG allocates anything by these numbers.
void check_size(std::span<const std::byte> stream, const PixelLayout& pixels) {
  constexpr std::size_t kSize = 42;
  if (stream.size() < kSize) broken("the codestream is cut short");
  const auto u32 = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint64_t>(stream[at + i]);
    return value;
  };
  const std::uint64_t width = u32(8) - u32(16), height = u32(12) - u32(20), tile_w = u32(24), tile_h = u32(28);
  const auto components = std::to_integer<int>(stream[40]) << 8 | std::to_integer<int>(stream[41]);
  if (width != static_cast<std::uint64_t>(pixels.columns) || height != static_cast<std::uint64_t>(pixels.rows))
    broken(
        fmt::format("an image of {} x {} where the header says {} x {}", height, width, pixels.rows, pixels.columns));
  if (components != 1) broken(fmt::format("{} components", components));
  if (tile_w == 0 || tile_h == 0 || (u32(8) / tile_w + 1) * (u32(12) / tile_h + 1) > kMostTiles)
    broken("too many tiles");
}

std::unique_ptr<opj_image_t, Delete> decoded(std::span<const std::byte> stream) {
  Source source{stream};
  const std::unique_ptr<opj_stream_t, DeleteStream> input(
      opj_stream_create(std::max<std::size_t>(stream.size(), 64), OPJ_TRUE));
  const std::unique_ptr<opj_codec_t, Delete> codec(opj_create_decompress(OPJ_CODEC_J2K));
  STRATA_CHECK(input && codec, environment, "dicom", "OpenJPEG does not start");
  opj_stream_set_user_data(input.get(), &source, nullptr);
  opj_stream_set_user_data_length(input.get(), stream.size());
  opj_stream_set_read_function(input.get(), read_some);
  opj_stream_set_skip_function(input.get(), skip_some);
  opj_stream_set_seek_function(input.get(), seek_to);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec.get(), &parameters)) broken("OpenJPEG does not start");
  opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE);
  opj_image_t* image = nullptr;
  const bool header = opj_read_header(input.get(), codec.get(), &image) != 0;
  std::unique_ptr<opj_image_t, Delete> held(image);
  if (!header || !held) broken("the codestream's header is broken");
  if (!opj_decode(codec.get(), input.get(), held.get())) broken("the codestream is broken or cut short");
  return held;
}

}  // namespace

void decode_jpeg2000(std::span<const std::byte> stream, const PixelLayout& pixels, std::span<std::byte> cells) {
  stream = codestream_in(stream);
  check_size(stream, pixels);
  const auto image = decoded(stream);
  const opj_image_comp_t& component = image->comps[0];
  const auto count = static_cast<std::size_t>(pixels.rows) * static_cast<std::size_t>(pixels.columns);
  const auto cell = static_cast<std::size_t>(pixels.bits_allocated) / 8;
  if (component.data == nullptr || std::size_t{component.w} * component.h != count ||
      component.w != static_cast<OPJ_UINT32>(pixels.columns))
    broken("the decoded image has another size");
  if (component.prec > static_cast<OPJ_UINT32>(pixels.bits_allocated)) broken("values wider than their cells");
  // Encoders disagree on whether signed values are declared as such: those of the stream's width are extended here.
  const int unused = 32 - static_cast<int>(component.prec), low = pixels.high_bit + 1 - pixels.bits_stored;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<std::uint32_t>(component.data[i]) << unused;
    const auto value =
        pixels.is_signed ? static_cast<std::uint32_t>(static_cast<std::int32_t>(bits) >> unused) : bits >> unused;
    const std::uint32_t placed = value << low;
    std::memcpy(cells.data() + i * cell, &placed, cell);
  }
}

}  // namespace strata::io::dicom
