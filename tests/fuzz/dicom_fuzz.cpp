// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "io/dicom/dicom.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"

namespace strata::fuzz {
namespace {

using io::dicom::FileRecord;
using io::dicom::LeftOut;
using io::dicom::Reason;
using io::dicom::StackPlan;

// Bytes as a file that has a path and never reaches a disk.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::byte> bytes) : descriptor_(::memfd_create("fuzz", 0)) {
    const bool written =
        descriptor_ >= 0 && ::write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    if (!written) std::abort();
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Whole slices of the series that the file under test may belong to.
const std::vector<FileRecord>& companions() {
  static const auto records = [] {
    io::dicom::register_codecs();
    std::vector<FileRecord> all;
    for (const auto& path : io::dicom::list_files(std::string(STRATA_FUZZ_CORPUS) + "/dicom_series"))
      all.push_back(io::dicom::read_header(path));
    promise(all.size() == 5, "five slices of one series in the corpus");
    for (const auto& record : all) promise(record.is_image(), "a slice that is read: " + record.detail);
    return all;
  }();
  return records;
}

void check_left_out(const std::vector<LeftOut>& left_out) {
  for (const auto& left : left_out) {
    promise(left.reason != Reason::none, "left out without a reason");
    promise(left.detail.size() < 500, "a detail without bound");
    promise(left.images >= 0, "fewer than no images");
  }
}

void check_stack(const io::dicom::StackRead& read) {
  const auto& stack = read.stack;
  promise(stack.height > 0 && stack.width > 0 && stack.slices() > 0, "an empty stack");
  promise(stack.voxels.size() == static_cast<std::size_t>(stack.height * stack.width * stack.slices()),
          "voxels that are not D·H·W");
  for (const auto& origin : stack.origins)
    promise(std::ranges::all_of(origin, [](double x) { return std::isfinite(x); }), "a position that is not finite");
  promise(std::ranges::all_of(stack.voxels, [](float v) { return std::isfinite(v); }), "voxels that are not finite");
  check_left_out(read.left_out);
}

// Plans and reads; how many of the plans hold the file under test.
int check_plans(const std::vector<FileRecord>& records, const std::string& path) {
  const io::dicom::PlanOptions options{.min_slices = 1, .max_voxels = 1 << 22};
  std::vector<LeftOut> left_out, again;
  const auto plans = io::dicom::plan_stacks(records, options, left_out);
  check_left_out(left_out);
  const auto reversed = io::dicom::plan_stacks({records.rbegin(), records.rend()}, options, again);
  promise(plans.size() == reversed.size() && left_out.size() == again.size(), "the plan depends on the order of files");
  int used = 0;
  for (const StackPlan& plan : plans) {
    const bool here = std::ranges::any_of(plan.files, [&](const FileRecord& file) { return file.path == path; });
    if (accepts([&] { check_stack(io::dicom::read_stack(plan)); })) used += here ? 1 : 0;
  }
  return used;
}

}  // namespace

bool fuzz_dicom(std::span<const std::byte> bytes) {
  auto records = companions();
  const MemoryFile file(bytes);
  const FileRecord record = io::dicom::read_header(file.path());
  promise(record.detail.size() < 500, "a detail without bound");
  const auto sent = io::dicom::records_of(io::dicom::to_bytes(std::span(&record, 1)));
  promise(sent.size() == 1 && sent[0].frames == record.frames && sent[0].pixels == record.pixels &&
              sent[0].sop_instance_uid == record.sop_instance_uid,
          "sending a record changed it");
  records.push_back(record);
  return check_plans(records, file.path()) > 0;
}

bool fuzz_dicom_records(std::span<const std::byte> bytes) {
  return accepts([&] {
    const auto records = io::dicom::records_of(bytes);
    promise(records.size() <= bytes.size(), "more records than bytes");
    promise(io::dicom::records_of(io::dicom::to_bytes(records)).size() == records.size(), "sending changed records");
  });
}

}  // namespace strata::fuzz
