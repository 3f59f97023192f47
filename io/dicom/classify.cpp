// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/classify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>

#include "io/dicom/fields.hpp"
#include "strata/io/text.hpp"

namespace strata::io::dicom {
namespace {

constexpr std::int32_t kLargestSide = 16384;

struct Class {
  std::string_view prefix;
  Reason reason;
};
// PS3.6 Annex A. The first that fits counts.
constexpr std::array<Class, 13> kClasses{{
    {"1.2.840.10008.1.3.10", Reason::dicomdir},
    {"1.2.840.10008.5.1.4.1.1.88.67", Reason::dose_report},  // X-ray radiation dose SR
    {"1.2.840.10008.5.1.4.1.1.88.68", Reason::dose_report},  // radiopharmaceutical
    {"1.2.840.10008.5.1.4.1.1.88.73", Reason::dose_report},  // patient radiation dose
    {"1.2.840.10008.5.1.4.1.1.88.", Reason::structured_report},
    {"1.2.840.10008.5.1.4.1.1.7", Reason::secondary_capture},
    {"1.2.840.10008.5.1.4.1.1.11.", Reason::other_object},   // presentation states
    {"1.2.840.10008.5.1.4.1.1.9.", Reason::other_object},    // waveforms
    {"1.2.840.10008.5.1.4.1.1.66", Reason::other_object},    // raw data, registrations, segmentations
    {"1.2.840.10008.5.1.4.1.1.104.", Reason::other_object},  // encapsulated documents
    {"1.2.840.10008.5.1.4.1.1.481.", Reason::other_object},  // radiotherapy
    {"1.2.840.10008.5.1.4.1.1.4.2", Reason::other_object},   // MR spectroscopy
    {"1.3.12.2.1107.5.9.1", Reason::other_object},           // Siemens CSA non-image
}};

bool has_component(std::string_view list, std::string_view wanted) {
  while (true) {
    const std::size_t end = list.find('\\');
    if (list.substr(0, end) == wanted) return true;
    if (end == std::string_view::npos) return false;
    list.remove_prefix(end + 1);
  }
}

// The word, not a part of another: "Scout" in "AAHead_Scout", not in "Scouting".
bool has_word(const std::string& text, std::string_view word) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto letter = [&](std::size_t at) {
    return at < lower.size() && std::isalpha(static_cast<unsigned char>(lower[at]));
  };
  for (std::size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1))
    if (!(at > 0 && letter(at - 1)) && !letter(at + word.size())) return true;
  return false;
}

Verdict unsupported(std::string detail) { return {Reason::unsupported_pixels, std::move(detail)}; }

// A stored value by its bits, whatever type the element was written with.
std::optional<std::int32_t> stored_value(DcmItem& item, const DcmTagKey& tag, const PixelLayout& pixels) {
  const std::optional<double> value = number_of(item, tag);
  if (!value || *value < -2147483648.0 || *value > 4294967295.0) return std::nullopt;
  const auto bits = static_cast<std::uint32_t>(static_cast<std::int64_t>(*value));
  const int unused = 32 - pixels.bits_stored;
  if (pixels.is_signed) return static_cast<std::int32_t>(bits << unused) >> unused;
  return static_cast<std::int32_t>(bits << unused >> unused);
}

Verdict judge_bits(const PixelLayout& pixels) {
  const std::int32_t allocated = pixels.bits_allocated, stored = pixels.bits_stored;
  if (allocated != 8 && allocated != 16 && allocated != 32)
    return unsupported(fmt::format("{} bits allocated", allocated));
  if (stored < 1 || stored > allocated || pixels.high_bit < stored - 1 || pixels.high_bit >= allocated)
    return unsupported(fmt::format("{} bits stored up to bit {} of {}", stored, pixels.high_bit, allocated));
  if (stored == 32 && !pixels.is_signed) return unsupported("32 bits stored without sign");
  return {};
}

}  // namespace

Verdict judge_class(std::string_view sop_class_uid, const std::string& modality) {
  for (const Class& known : kClasses)
    if (sop_class_uid.starts_with(known.prefix)) return {known.reason, "by its SOP class"};
  if (modality == "SR" || modality == "DOC") return {Reason::structured_report, "by its modality"};
  if (modality == "PR" || modality == "KO" || modality == "SEG" || modality.starts_with("RT"))
    return {Reason::other_object, "by its modality"};
  return {};
}

Verdict judge_syntax(E_TransferSyntax syntax, std::string_view uid) {
  switch (syntax) {
    case EXS_LittleEndianImplicit:
    case EXS_LittleEndianExplicit:
    case EXS_BigEndianExplicit:
    case EXS_DeflatedLittleEndianExplicit:
    case EXS_RLELossless:
    case EXS_JPEGProcess1:
    case EXS_JPEGProcess2_4:
    case EXS_JPEGProcess14:
    case EXS_JPEGProcess14SV1:
    case EXS_JPEGLSLossless:
    case EXS_JPEGLSLossy:
    case EXS_JPEG2000LosslessOnly:
    case EXS_JPEG2000: return {};
    default: return {Reason::unsupported_syntax, "transfer syntax " + printable(uid, 64)};
  }
}

Verdict judge_pixels(DcmItem& item, const std::string& modality, PixelLayout& pixels) {
  const std::string photometric = text_of(item, DCM_PhotometricInterpretation);
  if (integer_of(item, DCM_SamplesPerPixel, 1) != 1 ||
      (photometric != "MONOCHROME1" && photometric != "MONOCHROME2" && !photometric.empty()))
    return {Reason::colour, "photometric interpretation " + printable(photometric, 20)};
  pixels.rows = integer_of(item, DCM_Rows), pixels.columns = integer_of(item, DCM_Columns);
  pixels.frames = integer_of(item, DCM_NumberOfFrames, 1);
  if (pixels.rows < 1 || pixels.columns < 1 || pixels.rows > kLargestSide || pixels.columns > kLargestSide)
    return unsupported(fmt::format("{} rows of {} columns", pixels.rows, pixels.columns));
  pixels.bits_allocated = integer_of(item, DCM_BitsAllocated);
  pixels.bits_stored = integer_of(item, DCM_BitsStored, pixels.bits_allocated);
  pixels.high_bit = integer_of(item, DCM_HighBit, pixels.bits_stored - 1);
  pixels.is_signed = integer_of(item, DCM_PixelRepresentation) == 1;
  if (Verdict verdict = judge_bits(pixels); verdict.reason != Reason::none) return verdict;
  if (sequence_of(item, DCM_ModalityLUTSequence) != nullptr) return unsupported("values by a lookup table");
  pixels.inverted = photometric == "MONOCHROME1" && modality != "CT";
  pixels.padding = stored_value(item, DCM_PixelPaddingValue, pixels);
  pixels.padding_limit = stored_value(item, DCM_PixelPaddingRangeLimit, pixels);
  return {};
}

Verdict judge_kind(const std::string& image_type, const study::ScanTags& tags) {
  for (const std::string_view word : {"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"})
    if (has_component(image_type, word)) return {Reason::localizer, "by its image type"};
  for (const std::string_view word : {"SCREEN SAVE", "SCREENSAVE", "CSA REPORT", "CSA RESULT", "REPORT"})
    if (has_component(image_type, word)) return {Reason::secondary_capture, "by its image type"};
  if (has_word(tags.series_description, "dose") &&
      (has_word(tags.series_description, "report") || has_word(tags.series_description, "record")))
    return {Reason::dose_report, "by its series description"};
  for (const std::string_view word : {"localizer", "localiser", "scout", "topogram", "surview", "survey"})
    if (has_word(tags.series_description, word)) return {Reason::localizer, "by its series description"};
  if (!tags.modality.empty() && tags.modality != "CT" && tags.modality != "MR" && tags.modality != "PT")
    return {Reason::other_modality,
            tags.modality.size() == 2 ? "modality " + printable(tags.modality) : "by its modality"};
  return {};
}

}  // namespace strata::io::dicom
