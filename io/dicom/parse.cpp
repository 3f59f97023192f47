// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/parse.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>

#include "io/dicom/guarded_stream.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io::dicom {
namespace {

// What a deflated file may grow to; pixels of a scan shrink to a third or so.
constexpr std::uint64_t kMostInflated = std::uint64_t{1} << 28, kMostRatio = 32;
constexpr std::string_view kDeflatedSyntax = "1.2.840.10008.1.2.1.99";
constexpr std::size_t kPreamble = 132;  // 128 bytes and DICM

std::uint32_t u16_at(std::span<const std::byte> bytes, std::size_t at) {
  return std::to_integer<std::uint32_t>(bytes[at]) | std::to_integer<std::uint32_t>(bytes[at + 1]) << 8;
}
std::uint32_t u32_at(std::span<const std::byte> bytes, std::size_t at) {
  return u16_at(bytes, at) | u16_at(bytes, at + 2) << 16;
}

std::vector<std::byte> head_of(const InputFile& file, std::size_t most) {
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(most, file.size())));
  file.read(0, head);
  return head;
}

bool has_magic(std::span<const std::byte> head) {
  return head.size() >= kPreamble && std::memcmp(head.data() + 128, "DICM", 4) == 0;
}

// The meta header is explicit little endian whatever follows it; its first element says how long it is.
std::optional<std::size_t> deflated_from(std::span<const std::byte> head) {
  constexpr std::size_t kGroupLength = 12;
  if (!has_magic(head) || head.size() < kPreamble + kGroupLength || u32_at(head, kPreamble) != 2) return std::nullopt;
  const std::size_t end = kPreamble + kGroupLength + u32_at(head, kPreamble + 8);
  if (end > head.size()) return std::nullopt;
  const std::string_view meta(reinterpret_cast<const char*>(head.data()), end);
  const std::size_t found = meta.find(kDeflatedSyntax, kPreamble);
  if (found == std::string_view::npos || found < 8 || u32_at(head, found - 8) != 0x00100002) return std::nullopt;
  return end;
}

[[noreturn]] void fail_inflate(const InputFile& file, std::string_view what) {
  fail(ErrorKind::data, "dicom", fmt::format("{}: the deflated data set {}", printable(file.path(), 400), what));
}

class Inflation {
 public:
  Inflation() { STRATA_CHECK(inflateInit2(&stream_, -MAX_WBITS) == Z_OK, environment, "dicom", "zlib does not start"); }
  ~Inflation() { inflateEnd(&stream_); }
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;
  z_stream* operator->() { return &stream_; }
  z_stream* get() { return &stream_; }

 private:
  z_stream stream_{};
};

// The file with everything behind `begin` inflated, and its syntax read as explicit little endian.
std::vector<std::byte> inflate_file(const InputFile& file, std::size_t begin) {
  std::vector<std::byte> packed(static_cast<std::size_t>(file.size()));
  file.read(0, packed);
  std::vector<std::byte> plain(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(begin));
  auto* syntax = std::search(reinterpret_cast<char*>(plain.data()), reinterpret_cast<char*>(plain.data()) + begin,
                             kDeflatedSyntax.begin(), kDeflatedSyntax.end());
  std::memset(syntax + std::strlen("1.2.840.10008.1.2.1"), 0, std::strlen(".99"));

  Inflation stream;
  stream->next_in = reinterpret_cast<Bytef*>(packed.data() + begin);
  stream->avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size() - begin, UINT32_MAX));
  std::size_t filled = begin;
  for (int code = Z_OK; code != Z_STREAM_END;) {
    if (filled == plain.size()) plain.resize(std::max<std::size_t>(65536, plain.size() * 2));
    if (plain.size() > std::max(kMostInflated, kMostRatio * file.size()))
      fail_inflate(file, "is far larger than the file");
    stream->next_out = reinterpret_cast<Bytef*>(plain.data() + filled);
    stream->avail_out = static_cast<uInt>(plain.size() - filled);
    code = inflate(stream.get(), Z_NO_FLUSH);
    filled = plain.size() - stream->avail_out;
    if (code != Z_OK && code != Z_STREAM_END) fail_inflate(file, "is broken or cut short");
  }
  plain.resize(filled);
  return plain;
}

bool known_vr(std::span<const std::byte> head, std::size_t at) {
  constexpr std::string_view kVrs = "AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT";
  const std::string_view vr(reinterpret_cast<const char*>(head.data()) + at, 2);
  return kVrs.find(vr) != std::string_view::npos && vr[0] != ' ' && vr[1] != ' ';
}

// Files without preamble: the first element must be a plausible one of group 2 or 8.
bool bare_data_set(std::span<const std::byte> head, std::uint64_t size) {
  if (head.size() < 16) return false;
  const auto swapped = [&](std::size_t at) { return (u16_at(head, at) >> 8) | (u16_at(head, at) & 0xff) << 8; };
  const bool little = u16_at(head, 0) == 2 || u16_at(head, 0) == 8;
  if (!little && swapped(0) != 2 && swapped(0) != 8) return false;
  if ((little ? u16_at(head, 2) : swapped(2)) > 0x3000) return false;
  return known_vr(head, 4) || u32_at(head, 4) < size;
}

// The parser stops behind the header of the pixel data: 12 bytes in explicit syntaxes, 8 in implicit ones.
std::optional<PixelPlace> pixel_place(const InputFile& file, std::uint64_t position, E_TransferSyntax syntax) {
  const DcmXfer xfer(syntax);
  const std::size_t header = xfer.isExplicitVR() ? 12 : 8;
  if (position < header) return std::nullopt;
  std::array<std::byte, 12> bytes{};
  file.read(position - header, std::span(bytes).first(header));
  if (xfer.getByteOrder() == EBO_BigEndian) {
    std::swap(bytes[0], bytes[1]), std::swap(bytes[2], bytes[3]);
    std::ranges::reverse(std::span(bytes).subspan(8, 4));
  }
  if (u32_at(bytes, 0) != 0x00107fe0) return std::nullopt;
  return PixelPlace{position, u32_at(bytes, header - 4)};
}

void reject(Parsed& parsed, Reason reason, std::string detail) {
  parsed.reason = reason;
  parsed.detail = std::move(detail);
}

}  // namespace

DicomBytes::DicomBytes(const std::string& path) : file_(InputFile("dicom", path)) {
  const std::vector<std::byte> head = head_of(*file_, 16384);
  if (const auto begin = deflated_from(head)) {
    inflated_ = inflate_file(*file_, *begin);
    file_.emplace("dicom", path, std::span<const std::byte>(inflated_));
    deflated_ = true;
  }
}

void parse_header(const DicomBytes& bytes, Parsed& parsed) {
  const InputFile& file = bytes.file();
  if (const std::vector<std::byte> head = head_of(file, 1024); !has_magic(head) && !bare_data_set(head, file.size()))
    return reject(parsed, Reason::not_dicom, "no DICOM preamble and no data set at the beginning");
  GuardedStream stream(file);
  parsed.file.transferInit();
  const OFCondition status =
      parsed.file.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, DCM_PixelData);
  parsed.file.transferEnd();
  const GuardedProducer& producer = stream.producer();
  if (producer.stopped() != nullptr) return reject(parsed, Reason::unreadable, producer.stopped());
  parsed.syntax = parsed.file.getDataset()->getOriginalXfer();
  if (status.bad() && status != EC_EndOfStream) {
    const bool ended = producer.position() >= file.size();
    return reject(parsed, ended ? Reason::truncated : Reason::unreadable,
                  ended ? "the file ends in the header" : "the header cannot be parsed");
  }
  if (parsed.file.getDataset()->card() == 0) return reject(parsed, Reason::not_dicom, "there is no data set");
  parsed.pixels = pixel_place(file, producer.position(), parsed.syntax);
}

void parse_all(const DicomBytes& bytes, DcmFileFormat& file) {
  GuardedStream stream(bytes.file());
  file.transferInit();
  const OFCondition status = file.read(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength);
  file.transferEnd();
  STRATA_CHECK(stream.producer().stopped() == nullptr && status.good(), data, "dicom",
               fmt::format("{}: the data set cannot be parsed", printable(bytes.file().path(), 400)));
}

}  // namespace strata::io::dicom
