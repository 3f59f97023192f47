// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/record.hpp"

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "strata/base/error.hpp"

namespace strata::io::dicom {
namespace {

constexpr std::uint64_t kMagic = 0x31'44'52'54'53'44'52'31;
constexpr std::array<std::string_view, 25> kNames{"none",
                                                  "not_dicom",
                                                  "dicomdir",
                                                  "unreadable",
                                                  "truncated",
                                                  "unsupported_syntax",
                                                  "unsupported_pixels",
                                                  "structured_report",
                                                  "dose_report",
                                                  "secondary_capture",
                                                  "other_object",
                                                  "no_pixels",
                                                  "colour",
                                                  "localizer",
                                                  "mosaic",
                                                  "no_position",
                                                  "bad_geometry",
                                                  "derived",
                                                  "other_modality",
                                                  "duplicate",
                                                  "repeated_position",
                                                  "not_a_volume",
                                                  "too_few_slices",
                                                  "too_large",
                                                  "broken_pixels"};
static_assert(kNames.size() == static_cast<std::size_t>(Reason::broken_pixels) + 1);

class Writer {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void operator()(const T& value) {
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof(T));
  }
  void operator()(const std::string& text) { many(text); }
  void operator()(const std::vector<std::string>& texts) {
    (*this)(texts.size());
    for (const std::string& text : texts) (*this)(text);
  }
  void operator()(const std::vector<Frame>& frames) { many(frames); }

  std::vector<std::byte> bytes;

 private:
  template <class Range>
  void many(const Range& values) {
    (*this)(values.size());
    const auto from = std::as_bytes(std::span(values));
    bytes.insert(bytes.end(), from.begin(), from.end());
  }
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  requires std::is_trivially_copyable_v<T>
  void operator()(T& value) { std::memcpy(&value, take(sizeof(T)).data(), sizeof(T)); }
  void operator()(std::string& text) { many(text); }
  void operator()(std::vector<std::string>& texts) {
    texts.resize(count(sizeof(std::size_t)));
    for (std::string& text : texts) (*this)(text);
  }
  void operator()(std::vector<Frame>& frames) { many(frames); }

  std::size_t count(std::size_t least) {
    std::size_t n = 0;
    (*this)(n);
    STRATA_CHECK(n <= bytes_.size() / least, data, "dicom", "records from another rank are cut short");
    return n;
  }

 private:
  std::span<const std::byte> take(std::size_t n) {
    STRATA_CHECK(n <= bytes_.size(), data, "dicom", "records from another rank are cut short");
    return std::exchange(bytes_, bytes_.subspan(n)).first(n);
  }
  template <class Range>
  void many(Range& values) {
    constexpr std::size_t kElement = sizeof(typename Range::value_type);
    values.resize(count(kElement));
    const auto from = take(values.size() * kElement);
    if (!from.empty()) std::memcpy(values.data(), from.data(), from.size());
  }

  std::span<const std::byte> bytes_;
};

// One list of fields for both directions.
template <class Archive, class Tags>
void each_tag(Archive& archive, Tags& tags) {
  archive(tags.patient_id), archive(tags.study_uid), archive(tags.series_uid), archive(tags.accession_number);
  archive(tags.modality), archive(tags.study_description), archive(tags.series_description);
  archive(tags.convolution_kernel), archive(tags.body_part), archive(tags.manufacturer);
  archive(tags.kvp), archive(tags.slice_thickness), archive(tags.echo_time), archive(tags.repetition_time);
  archive(tags.b_value), archive(tags.series_number), archive(tags.echo_number), archive(tags.temporal_position);
  archive(tags.instance_uids);
}

template <class Archive, class Record>
void each_field(Archive& archive, Record& record) {
  archive(record.path), archive(record.reason), archive(record.detail);
  each_tag(archive, record.tags);
  archive(record.sop_class_uid), archive(record.sop_instance_uid), archive(record.transfer_syntax);
  archive(record.frame_of_reference_uid), archive(record.image_type), archive(record.instance_number);
  archive(record.rows), archive(record.columns), archive(record.pixels), archive(record.frames);
}

}  // namespace

std::string_view name_of(Reason reason) {
  const auto index = static_cast<std::size_t>(reason);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::vector<std::byte> to_bytes(std::span<const FileRecord> records) {
  Writer writer;
  writer(kMagic);
  writer(records.size());
  for (const FileRecord& record : records) each_field(writer, record);
  return std::move(writer.bytes);
}

std::vector<FileRecord> records_of(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  std::uint64_t magic = 0;
  reader(magic);
  STRATA_CHECK(magic == kMagic, data, "dicom", "these bytes are no records of DICOM files");
  std::vector<FileRecord> records(reader.count(sizeof(PixelLayout)));
  for (FileRecord& record : records) each_field(reader, record);
  return records;
}

}  // namespace strata::io::dicom
