// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/guarded_stream.hpp"

#include <dcmtk/dcmdata/dcerror.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace strata::io::dicom {
namespace {

constexpr std::size_t kWindow = 32768;
constexpr std::ptrdiff_t kStackLimit = 1 << 20;  // about a thousand nested sequences
constexpr double kSeconds = 20;                  // a header of a thousand frames takes milliseconds

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The machine's own stack, which a sanitizer's detection of use after return moves locals away from.
const char* stack_place() { return static_cast<const char*>(__builtin_frame_address(0)); }

class Factory final : public DcmInputStreamFactory {
 public:
  Factory(const InputFile& file, std::uint64_t position) : file_(file), position_(position) {}
  DcmInputStream* create() const override { return new GuardedStream(file_, position_); }
  DcmInputStreamFactory* clone() const override { return new Factory(file_, position_); }
  DcmInputStreamFactoryType ident() const override { return DFT_DcmInputFileStreamFactory; }

 private:
  InputFile file_;
  std::uint64_t position_;
};

}  // namespace

GuardedProducer::GuardedProducer(const InputFile& file, std::uint64_t position)
    : file_(file), position_(position), stack_begin_(stack_place()), deadline_(thread_seconds() + kSeconds) {}

OFCondition GuardedProducer::status() const { return stopped_ != nullptr ? EC_InvalidStream : EC_Normal; }

offile_off_t GuardedProducer::avail() { return eos() ? 0 : static_cast<offile_off_t>(file_.size() - position_); }

void GuardedProducer::check_limits() {
  if (std::abs(stack_place() - stack_begin_) > kStackLimit) stopped_ = "sequences are nested too deep";
  if (++reads_ % 4096 == 0 && thread_seconds() > deadline_) stopped_ = "the header takes too long to parse";
}

void GuardedProducer::fill() {
  window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, file_.size() - position_)));
  file_.read(position_, window_);
  window_at_ = position_;
}

offile_off_t GuardedProducer::read(void* into, offile_off_t length) {
  check_limits();
  const auto count = static_cast<std::size_t>(std::clamp<offile_off_t>(length, 0, avail()));
  if (count == 0) return 0;
  if (count > kWindow) {
    file_.read(position_, {static_cast<std::byte*>(into), count});
  } else {
    if (position_ < window_at_ || position_ + count > window_at_ + window_.size()) fill();
    std::memcpy(into, window_.data() + (position_ - window_at_), count);
  }
  position_ += count;
  return static_cast<offile_off_t>(count);
}

offile_off_t GuardedProducer::skip(offile_off_t length) {
  const offile_off_t count = std::clamp<offile_off_t>(length, 0, avail());
  position_ += static_cast<std::uint64_t>(count);
  return count;
}

void GuardedProducer::putback(offile_off_t count) {
  position_ -= std::min(static_cast<std::uint64_t>(std::max<offile_off_t>(count, 0)), position_);
}

DcmInputStreamFactory* GuardedStream::newFactory() const { return new Factory(producer_.file(), producer_.position()); }

}  // namespace strata::io::dicom
