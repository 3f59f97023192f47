// SPDX-License-Identifier: Apache-2.0
//
// DCMTK's parser behind a stream that hostile files cannot abuse: it recurses by nested sequences and sorts elements by
// insertion, so the stream ends when a parse has used a fixed amount of stack or of processor time. Deflated files are
// inflated here, to a bounded size, and parsed from memory.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/dicom/record.hpp"
#include "strata/io/file.hpp"

namespace strata::io::dicom {

// A file's bytes as DCMTK shall see them; `inflated` keeps those of a deflated file alive.
class DicomBytes {
 public:
  explicit DicomBytes(const std::string& path);  // errors as InputFile's; a broken deflate stream: data error
  DicomBytes(const DicomBytes&) = delete;
  DicomBytes& operator=(const DicomBytes&) = delete;

  const InputFile& file() const { return *file_; }
  bool deflated() const { return deflated_; }

 private:
  std::vector<std::byte> inflated_;
  std::optional<InputFile> file_;
  bool deflated_ = false;
};

// Where the stop element's value begins and how long it says it is (0xffffffff: encapsulated).
struct PixelPlace {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};

struct Parsed {
  Reason reason = Reason::none;  // not_dicom, dicomdir, unreadable, truncated
  std::string detail;
  DcmFileFormat file;
  E_TransferSyntax syntax = EXS_Unknown;
  std::optional<PixelPlace> pixels;  // nothing: the data set has no pixel data
};

// All elements before the pixel data. Long values stay in `bytes`, which must outlive `parsed`, until they are asked
// for.
void parse_header(const DicomBytes& bytes, Parsed& parsed);

// The whole data set, for decoders: `bytes` must live as long as the data set. What cannot be parsed: data error.
void parse_all(const DicomBytes& bytes, DcmFileFormat& file);

}  // namespace strata::io::dicom
