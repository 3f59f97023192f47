// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/byte_source.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <string_view>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kPiece = 1 << 16;
constexpr std::uint64_t kLargestRatio = 1032;  // zlib.net/zlib_tech.html: the limit of the deflate format
constexpr std::string_view kCutShort = "the file is cut short: fetch or write it again";

}  // namespace

struct ByteSource::State {
  explicit State(const InputFile& opened) : file(opened) {
    std::array<std::byte, 2> head{};
    if (file.size() < head.size()) return;
    file.read(0, head);
    if (head[0] != std::byte{0x1f} || head[1] != std::byte{0x8b}) return;
    if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::bad_alloc();  // 16: gzip with its header and checksum
    compressed = true;
    piece.resize(kPiece);
  }
  ~State() {
    if (compressed) inflateEnd(&stream);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[noreturn]] void bad(std::string_view what, std::string_view hint) const {
    fail(ErrorKind::data, file.subject(), fmt::format("{}: {}", printable(file.path(), 400), what), hint);
  }

  void refill() {
    const std::uint64_t length = std::min<std::uint64_t>(kPiece, file.size() - taken);
    file.read(taken, std::as_writable_bytes(std::span(piece)).first(static_cast<std::size_t>(length)));
    taken += length;
    stream.next_in = piece.data();
    stream.avail_in = static_cast<uInt>(length);
  }

  // The end of a member: another may follow; what is no member (some tools pad with zeros) ends the stream.
  void end_member() {
    if (stream.avail_in == 0 && taken < file.size()) refill();
    if (stream.avail_in > 0 && *stream.next_in == 0x1f && inflateReset(&stream) == Z_OK) return;
    ended = true;
  }

  std::size_t inflate_some(std::span<std::byte> into) {
    const auto wanted = static_cast<uInt>(std::min<std::size_t>(into.size(), std::numeric_limits<uInt>::max()));
    stream.next_out = reinterpret_cast<Bytef*>(into.data());
    stream.avail_out = wanted;
    while (stream.avail_out > 0 && !ended) {
      if (stream.avail_in == 0) {
        if (taken == file.size()) bad("the gzip stream ends before its end mark", kCutShort);
        refill();
      }
      const int code = ::inflate(&stream, Z_NO_FLUSH);
      if (code == Z_STREAM_END)
        end_member();
      else if (code == Z_MEM_ERROR)
        throw std::bad_alloc();
      else if (code != Z_OK && code != Z_BUF_ERROR)
        bad("the gzip stream is damaged", "fetch or write the file again");
    }
    return wanted - stream.avail_out;
  }

  const InputFile& file;
  bool compressed = false, ended = false;
  std::uint64_t taken = 0;     // bytes of the file that were handed to zlib, or out
  std::uint64_t position = 0;  // bytes that were handed out
  z_stream stream{};
  std::vector<Bytef> piece;
};

ByteSource::ByteSource(const InputFile& file) : state_(std::make_unique<State>(file)) {}
ByteSource::~ByteSource() = default;

bool ByteSource::compressed() const { return state_->compressed; }
std::uint64_t ByteSource::position() const { return state_->position; }

std::uint64_t ByteSource::most_left() const {
  const std::uint64_t size = state_->file.size();
  if (!state_->compressed) return size - state_->position;
  return size > std::numeric_limits<std::uint64_t>::max() / kLargestRatio ? size : size * kLargestRatio;
}

std::size_t ByteSource::read_some(std::span<std::byte> into) {
  State& state = *state_;
  std::size_t done = 0;
  if (state.compressed) {
    while (done < into.size() && !state.ended) done += state.inflate_some(into.subspan(done));
  } else {
    done = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), state.file.size() - state.taken));
    state.file.read(state.taken, into.first(done));
    state.taken += done;
  }
  state.position += done;
  return done;
}

void ByteSource::read(std::span<std::byte> into) {
  const std::uint64_t begin = state_->position;
  const std::size_t done = read_some(into);
  if (done < into.size())
    state_->bad(fmt::format("bytes {} to {} were wanted, but the {} ends at {}", begin, begin + into.size(),
                            state_->compressed ? "gzip stream" : "file", begin + done),
                kCutShort);
}

void ByteSource::skip(std::uint64_t bytes) {
  std::vector<std::byte> sink(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kPiece)));
  while (bytes > 0) {
    const std::uint64_t length = std::min<std::uint64_t>(bytes, sink.size());
    read(std::span(sink).first(static_cast<std::size_t>(length)));
    bytes -= length;
  }
}

std::uint64_t ByteSource::drain() {
  if (!state_->compressed) return state_->file.size() - state_->position;
  std::vector<std::byte> sink(kPiece);
  std::uint64_t left = 0;
  while (!state_->ended) left += read_some(sink);
  return left;
}

}  // namespace strata::io
