// SPDX-License-Identifier: Apache-2.0
#include "io/table/lines.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18;

bool continues(unsigned char byte) { return (byte & 0xc0u) == 0x80u; }

// Bytes of the character that begins here; 0: none does (RFC 3629: no overlong form, no surrogate, nothing beyond
// U+10FFFF).
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !continues(static_cast<unsigned char>(byte(1)))) return 0;
  if (first < 0xe0) return 2;
  if (!continues(static_cast<unsigned char>(byte(2)))) return 0;
  if (first < 0xf0) return (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ? 0 : 3;
  if (!continues(static_cast<unsigned char>(byte(3)))) return 0;
  return (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90) ? 0 : 4;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = character(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace

LineReader::LineReader(InputFile file, std::size_t longest) : file_(std::move(file)), longest_(longest) {
  fill();
  skip_byte_order_mark();
}

void LineReader::bad(std::int64_t line, std::string_view what, std::string_view hint) const {
  fail(ErrorKind::data, file_.subject(),
       fmt::format("{} {}", printable(fmt::format("{}:{}", file_.path(), line), 400), what), hint);
}

void LineReader::skip_byte_order_mark() {
  const std::string_view text = buffer_;
  if (text.starts_with("\xef\xbb\xbf")) at_ = 3;
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    bad(1, "is UTF-16", "save it as UTF-8, or: iconv -f UTF-16 -t UTF-8");
}

bool LineReader::fill() {
  const std::uint64_t left = file_.size() - offset_;
  if (left == 0) return false;
  buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)));
  file_.read(offset_, std::as_writable_bytes(std::span(buffer_)));
  offset_ += buffer_.size();
  at_ = 0;
  return true;
}

bool LineReader::next(std::string& line) {
  line.clear();
  bool ended = false;
  while (!ended && (at_ < buffer_.size() || fill())) {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    // A CR at the end of the piece before: it is the whole end, unless LF follows.
    const bool after_cr = !line.empty() && line.back() == '\r';
    std::size_t taken = after_cr ? (rest[0] == '\n' ? 1 : 0) : rest.find_first_of("\r\n");
    ended = taken != std::string_view::npos;
    if (!ended) {
      taken = rest.size();
    } else if (!after_cr) {
      const bool cr = rest[taken] == '\r';
      ++taken;
      if (cr && taken < rest.size() && rest[taken] == '\n') ++taken;
      ended = !cr || taken < rest.size() || rest[taken - 1] == '\n';
    }
    line.append(rest.substr(0, taken));
    at_ += taken;
    if (line.size() > longest_)
      bad(number_ + 1, fmt::format("is longer than {} bytes", longest_), "is it a text file?");
  }
  if (line.empty()) return false;
  ++number_;
  if (line.find('\0') != std::string::npos) bad(number_, "holds a zero byte", "is it a text file?");
  if (!is_utf8(line)) bad(number_, "is not UTF-8", "save it as UTF-8, or: iconv -f WINDOWS-1252 -t UTF-8");
  return true;
}

}  // namespace strata::io
