// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/decode.hpp"

#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "io/dicom/parse.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io::dicom {
namespace {

enum class Encoding { native, rle, jpeg, jpeg2000, other };

Encoding encoding_of(const FileRecord& record) {
  if (record.pixels.native_offset) return Encoding::native;
  if (record.transfer_syntax == UID_RLELosslessTransferSyntax) return Encoding::rle;
  for (const std::string_view uid : {UID_JPEG2000LosslessOnlyTransferSyntax, UID_JPEG2000TransferSyntax})
    if (record.transfer_syntax == uid) return Encoding::jpeg2000;
  for (const std::string_view uid : {UID_JPEGProcess1TransferSyntax, UID_JPEGProcess2_4TransferSyntax,
                                     UID_JPEGProcess14TransferSyntax, UID_JPEGProcess14SV1TransferSyntax})
    if (record.transfer_syntax == uid) return Encoding::jpeg;
  return Encoding::other;
}

struct JpegSize {
  int precision = 0, height = 0, width = 0;
};

// From the start of frame marker (ITU-T T.81 B.2.2).
std::optional<JpegSize> jpeg_size(std::span<const Uint8> stream) {
  for (std::size_t at = 2; at + 9 < stream.size() && stream[at] == 0xff;) {
    const int marker = stream[at + 1];
    if (marker == 0xff) {
      ++at;
      continue;
    }
    const auto u16 = [&](std::size_t i) { return stream[i] << 8 | stream[i + 1]; };
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return JpegSize{stream[at + 4], u16(at + 5), u16(at + 7)};
    at += 2 + static_cast<std::size_t>(u16(at + 2));
  }
  return std::nullopt;
}

}  // namespace

struct FrameReader::State {
  explicit State(const FileRecord& record)
      : path(record.path),
        pixels(record.pixels),
        encoding(encoding_of(record)),
        bytes(record.path),
        cells(frame_bytes() + frame_bytes() % 2) {
    if (encoding != Encoding::native) open_sequence();
  }

  [[noreturn]] void broken(std::string_view what) const {
    fail(ErrorKind::data, "dicom", fmt::format("{}: {}", printable(path, 400), what));
  }

  std::size_t frame_bytes() const {
    return static_cast<std::size_t>(pixels.rows) * static_cast<std::size_t>(pixels.columns) *
           static_cast<std::size_t>(pixels.bits_allocated / 8);
  }

  void open_sequence();
  std::span<const Uint8> fragment(unsigned long number) const;
  std::vector<std::byte> stream_of(std::int32_t index) const;
  void read_native(std::int32_t index);
  void swap_cells();
  void read_by_dcmtk(std::int32_t index);
  void check_jpeg(std::int32_t index);

  std::string path;
  PixelLayout pixels;
  Encoding encoding;
  DicomBytes bytes;
  DcmFileFormat file;
  DcmPixelData* element = nullptr;
  DcmPixelSequence* sequence = nullptr;
  int coded_bytes = 0;  // a cell's as the JPEG decoder writes it; 0: not looked at yet
  std::vector<std::byte> cells;
};

void FrameReader::State::open_sequence() {
  parse_all(bytes, file);
  DcmElement* found = nullptr;
  file.getDataset()->findAndGetElement(DCM_PixelData, found);
  element = dynamic_cast<DcmPixelData*>(found);
  if (element == nullptr) broken("the pixel data are gone");
  E_TransferSyntax syntax = EXS_Unknown;
  const DcmRepresentationParameter* parameter = nullptr;
  element->getOriginalRepresentationKey(syntax, parameter);
  if (element->getEncapsulatedRepresentation(syntax, parameter, sequence).bad() || sequence == nullptr)
    broken("the pixel data are not encapsulated");
  if (sequence->card() < 2) broken("the pixel data hold no fragment");
}

std::span<const Uint8> FrameReader::State::fragment(unsigned long number) const {
  DcmPixelItem* item = nullptr;
  Uint8* data = nullptr;
  if (sequence->getItem(item, number).bad() || item == nullptr || item->getUint8Array(data).bad() || data == nullptr)
    broken(fmt::format("fragment {} of the pixel data cannot be read", number));
  return {data, item->getLength()};
}

// Frames are one fragment each, or the only frame is all of them; other divisions would need the offset table, which
// many writers leave empty.
std::vector<std::byte> FrameReader::State::stream_of(std::int32_t index) const {
  const unsigned long fragments = sequence->card() - 1;
  const bool single = pixels.frames == 1;
  if (!single && fragments != static_cast<unsigned long>(pixels.frames))
    broken(fmt::format("{} frames in {} fragments", pixels.frames, fragments));
  std::vector<std::byte> stream;
  for (unsigned long i = 1; i <= fragments; ++i) {
    if (!single && i != static_cast<unsigned long>(index) + 1) continue;
    const auto part = std::as_bytes(fragment(i));
    stream.insert(stream.end(), part.begin(), part.end());
  }
  return stream;
}

void FrameReader::State::read_native(std::int32_t index) {
  const std::size_t size = frame_bytes();
  bytes.file().read(*pixels.native_offset + size * static_cast<std::size_t>(index), std::span(cells).first(size));
  if (pixels.big_endian) swap_cells();
}

// Bytes are swapped in pairs if they were written as words (PS3.5 8.1.1).
void FrameReader::State::swap_cells() {
  auto width = static_cast<std::size_t>(pixels.bits_allocated / 8);
  if (width == 1) {
    std::array<std::byte, 2> vr{};
    bytes.file().read(*pixels.native_offset - 8, vr);
    if (vr[1] != std::byte{'W'}) return;
    if (frame_bytes() % 2 != 0) broken("frames of an odd number of bytes in words");
    width = 2;
  }
  for (std::size_t at = 0; at + width <= cells.size(); at += width)
    std::reverse(cells.begin() + static_cast<std::ptrdiff_t>(at),
                 cells.begin() + static_cast<std::ptrdiff_t>(at + width));
}

// DCMTK decodes into a buffer of the header's size and leaves what a smaller image does not fill.
void FrameReader::State::check_jpeg(std::int32_t index) {
  const auto fragments = sequence->card() - 1;
  const bool one_each = fragments == static_cast<unsigned long>(pixels.frames);
  const auto size = jpeg_size(fragment(one_each ? static_cast<unsigned long>(index) + 1 : 1));
  if (!size) broken("the JPEG stream has no header");
  if (size->height != pixels.rows || size->width != pixels.columns)
    broken(fmt::format("a JPEG image of {} x {} where the header says {} x {}", size->height, size->width, pixels.rows,
                       pixels.columns));
  coded_bytes = size->precision > 8 ? 2 : 1;
  if (8 * coded_bytes > pixels.bits_allocated) broken("JPEG values wider than their cells");
}

void FrameReader::State::read_by_dcmtk(std::int32_t index) {
  coded_bytes = pixels.bits_allocated / 8;
  if (encoding == Encoding::jpeg) check_jpeg(index);
  Uint32 fragment_number = 0;
  OFString colours;
  const OFCondition status =
      element->getUncompressedFrame(file.getDataset(), static_cast<Uint32>(index), fragment_number, cells.data(),
                                    static_cast<Uint32>(cells.size()), colours);
  if (status.bad()) broken(fmt::format("the pixel data cannot be decoded ({})", status.text()));
  const auto width = static_cast<std::size_t>(pixels.bits_allocated / 8), coded = static_cast<std::size_t>(coded_bytes);
  if (coded == width) return;
  for (std::size_t i = frame_bytes() / width; i-- > 0;)  // from the end: cells widen in place
    for (std::size_t byte = width; byte-- > 0;)
      cells[i * width + byte] = byte < coded ? cells[i * coded + byte] : std::byte{0};
}

FrameReader::FrameReader(const FileRecord& record) : state_(std::make_unique<State>(record)) {}
FrameReader::~FrameReader() = default;
FrameReader::FrameReader(FrameReader&&) noexcept = default;
FrameReader& FrameReader::operator=(FrameReader&&) noexcept = default;

std::span<const std::byte> FrameReader::frame(std::int32_t index) {
  switch (state_->encoding) {
    case Encoding::native: state_->read_native(index); break;
    case Encoding::rle: decode_rle(state_->stream_of(index), state_->pixels, state_->cells); break;
    case Encoding::jpeg2000: decode_jpeg2000(state_->stream_of(index), state_->pixels, state_->cells); break;
    case Encoding::jpeg:
    case Encoding::other: state_->read_by_dcmtk(index); break;
  }
  return std::span<const std::byte>(state_->cells).first(state_->frame_bytes());
}

}  // namespace strata::io::dicom
