// SPDX-License-Identifier: Apache-2.0
// libpng's simplified interface: no setjmp, whole images in memory.
#include <fmt/format.h>
#include <png.h>

#include <cstring>
#include <limits>

#include "io/image/image.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t{1} << 30;  // bytes of pixels that a reader believes

// png_image_free on every way out.
struct PngImage {
  png_image image{};

  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

[[noreturn]] void unreadable(const std::string& path, std::string_view why) {
  fail(ErrorKind::data, "png", fmt::format("{} cannot be read: {}", printable(path, 400), why),
       "is it a PNG file, and whole?");
}

}  // namespace

void write_png(const std::string& path, const Image& image) {
  PngImage png;
  png.image.width = static_cast<png_uint_32>(image.width);
  png.image.height = static_cast<png_uint_32>(image.height);
  png.image.format = image.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png.image);
  std::vector<std::byte> bytes(size);
  const int done = png_image_write_to_memory(&png.image, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  STRATA_CHECK(done != 0, internal, "png",
               fmt::format("libpng refuses an image of {} x {}: {}", image.width, image.height, png.image.message));
  bytes.resize(size);
  OutputFile file("png", path);
  file.write(bytes);
  file.commit();
}

Image read_png(const std::string& path) {
  const InputFile file("png", path);
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  PngImage png;
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0)
    unreadable(path, png.image.message);
  const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  png.image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  if (PNG_IMAGE_SIZE(png.image) > kLargest || png.image.width > std::numeric_limits<int>::max() / 3u)
    unreadable(path, "it says that it is larger than 1 GiB");
  Image image = Image::filled(static_cast<int>(png.image.width), static_cast<int>(png.image.height), colour ? 3 : 1);
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&png.image, &black, image.pixels.data(), 0, nullptr) == 0)
    unreadable(path, png.image.message);
  return image;
}

}  // namespace strata::io
