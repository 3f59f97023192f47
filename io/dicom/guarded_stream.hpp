// SPDX-License-Identifier: Apache-2.0
//
// A DCMTK input stream over an InputFile with a window of its own, and limits on the parser that reads it: stack (the
// parser recurses with the nesting of sequences) and processor time (it sorts elements by insertion).
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmf.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

#include "strata/io/file.hpp"

namespace strata::io::dicom {

class GuardedProducer final : public DcmProducer {
 public:
  explicit GuardedProducer(const InputFile& file, std::uint64_t position = 0);

  OFBool good() const override { return stopped_ == nullptr; }
  OFCondition status() const override;
  OFBool eos() override { return stopped_ != nullptr || position_ >= file_.size(); }
  offile_off_t avail() override;
  offile_off_t read(void* into, offile_off_t length) override;
  offile_off_t skip(offile_off_t length) override;
  void putback(offile_off_t count) override;

  const InputFile& file() const { return file_; }
  std::uint64_t position() const { return position_; }
  const char* stopped() const { return stopped_; }  // why the limits ended the parse; null: they did not

 private:
  void check_limits();
  void fill();

  InputFile file_;
  std::vector<std::byte> window_;
  std::uint64_t window_at_ = 0, position_ = 0;
  const char* stack_begin_;
  double deadline_;
  std::uint32_t reads_ = 0;
  const char* stopped_ = nullptr;
};

class GuardedStream final : public DcmInputStream {
 public:
  explicit GuardedStream(const InputFile& file, std::uint64_t position = 0)
      : DcmInputStream(&producer_), producer_(file, position) {}

  // Long values are read from here when they are asked for: until then nothing is allocated for a length that the file
  // only announces.
  DcmInputStreamFactory* newFactory() const override;
  const GuardedProducer& producer() const { return producer_; }

 private:
  GuardedProducer producer_;
};

}  // namespace strata::io::dicom
