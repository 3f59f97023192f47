// SPDX-License-Identifier: Apache-2.0
// DCMTK's configuration must come before the C++ library's headers that it adapts.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrplol.h>
#include <dcmtk/dcmjpls/djencode.h>
//
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "io/image/image.hpp"
#include "io/phantom/writer.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::phantom {
namespace {

constexpr std::uint32_t kUidFrame = 1, kUidSeries = 2, kUidInstances = 16;  // layers of uid_of

void must(const OFCondition& condition, std::string_view doing) {
  STRATA_CHECK(condition.good(), internal, "phantom", fmt::format("DCMTK could not {}: {}", doing, condition.text()));
}

void put(DcmItem& item, const DcmTagKey& key, const std::string& value) {
  must(item.putAndInsertString(key, value.c_str()), "set an attribute");
}
void put(DcmItem& item, const DcmTagKey& key, Uint16 value) {
  must(item.putAndInsertUint16(key, value), "set an attribute");
}

// Decimal strings have 16 characters.
std::string decimal(double value) {
  std::string text = fmt::format("{:.5f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}
std::string decimals(const Point& a) { return fmt::format("{}\\{}\\{}", decimal(a.x), decimal(a.y), decimal(a.z)); }
// Directions want more digits than positions.
std::string cosines(const Point& w, const Point& h) {
  std::string text;
  for (const float v : {w.x, w.y, w.z, h.x, h.y, h.z}) text += fmt::format("{:.9g}\\", v + 0.0f);  // no negative zero
  text.pop_back();
  return text;
}

E_TransferSyntax syntax_of(Syntax syntax) {
  switch (syntax) {
    case Syntax::explicit_little: return EXS_LittleEndianExplicit;
    case Syntax::implicit_little: return EXS_LittleEndianImplicit;
    case Syntax::explicit_big: return EXS_BigEndianExplicit;
    case Syntax::deflated: return EXS_DeflatedLittleEndianExplicit;
    case Syntax::rle: return EXS_RLELossless;
    case Syntax::jpeg_lossless: return EXS_JPEGProcess14SV1;
    case Syntax::jpeg_ls: return EXS_JPEGLSLossless;
  }
  return EXS_LittleEndianExplicit;
}

// Once a process is enough; DCMTK takes care of the rest.
void register_encoders() {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);  // what goes wrong comes back as a condition
  DcmRLEEncoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs(ECC_lossyYCbCr, EUC_never);
  DJLSEncoderRegistration::registerCodecs(0, 0, 0, 0, OFTrue, 0, OFTrue, EJLSUC_never);
}

void put_patient(DcmItem& item, const StudyPlan& study) {
  const Patient& patient = study.visit.patient;
  put(item, DCM_PatientName, patient.name);
  put(item, DCM_PatientID, patient.id);
  put(item, DCM_PatientBirthDate, patient.birth_date);
  put(item, DCM_PatientSex, patient.sex);
  put(item, DCM_PatientAge, fmt::format("{:03d}Y", study.age));
  put(item, DCM_PatientAddress, patient.address);
  put(item, DCM_RETIRED_OtherPatientIDs, patient.other_id);
  // The same where no dictionary looks.
  must(item.putAndInsertString(DcmTag(0x0009, 0x0010, EVR_LO), "STRATA PHANTOM"), "set a private creator");
  must(item.putAndInsertString(DcmTag(0x0009, 0x1001, EVR_PN), patient.name.c_str()), "set a private attribute");
}

void put_study(DcmItem& item, const StudyPlan& study) {
  put(item, DCM_SpecificCharacterSet, "ISO_IR 192");
  put(item, DCM_StudyInstanceUID, study.row.study_uid);
  put(item, DCM_StudyDate, study.date);
  put(item, DCM_StudyTime, study.time);
  put(item, DCM_StudyID, fmt::format("{}", study.index + 1));
  put(item, DCM_AccessionNumber, study.row.accession_number);
  put(item, DCM_StudyDescription, study.description);
  put(item, DCM_ReferringPhysicianName, study.physician);
  put(item, DCM_InstitutionName, study.institution);
  put_patient(item, study);
}

void put_series(DcmItem& item, const StudyPlan& study, const SeriesPlan& series) {
  put(item, DCM_Modality, "CT");
  put(item, DCM_SeriesInstanceUID,
      uid_of(study.seed, study.index, kUidSeries, static_cast<std::uint32_t>(series.kind)));
  put(item, DCM_SeriesNumber, fmt::format("{}", series.number));
  put(item, DCM_SeriesDate, study.date);
  put(item, DCM_SeriesTime, study.time);
  put(item, DCM_ContentDate, study.date);
  put(item, DCM_ContentTime, study.time);
  put(item, DCM_AcquisitionDate, study.date);
  put(item, DCM_AcquisitionTime, study.time);
  put(item, DCM_SeriesDescription, series.description);
  put(item, DCM_BodyPartExamined, "HEAD");
  put(item, DCM_Manufacturer, study.scanner.manufacturer);
  put(item, DCM_ManufacturerModelName, study.scanner.model);
  put(item, DCM_SoftwareVersions, "strata phantom 1");
  put(item, DCM_PatientPosition, "HFS");
}

void put_ct(DcmItem& item, const StudyPlan& study, const SeriesPlan& series) {
  put(item, DCM_SOPClassUID, UID_CTImageStorage);
  put(item, DCM_FrameOfReferenceUID, uid_of(study.seed, study.index, kUidFrame, 0));
  put(item, DCM_PositionReferenceIndicator, "OM");
  put(item, DCM_ProtocolName, "Head routine");
  put(item, DCM_AcquisitionNumber, "1");
  put(item, DCM_KVP, "120");
  put(item, DCM_XRayTubeCurrent, series.kind == SeriesKind::scout ? "35" : "280");
  put(item, DCM_ExposureTime, "1000");
  put(item, DCM_SliceThickness, decimal(series.thickness));
  put(item, DCM_DataCollectionDiameter, "500");
  put(item, DCM_ReconstructionDiameter, decimal(study.field));
  put(item, DCM_GantryDetectorTilt, decimal(series.kind == SeriesKind::scout ? 0 : study.tilt));
  put(item, DCM_TableHeight, "140");
  put(item, DCM_RotationDirection, "CW");
  put(item, DCM_FilterType, "HEAD");
  put(item, DCM_RescaleIntercept, fmt::format("{}", study.scanner.intercept));
  put(item, DCM_RescaleSlope, "1");
  put(item, DCM_RescaleType, "HU");
  const bool bone = series.kind == SeriesKind::bone;
  put(item, DCM_WindowCenter, series.kind == SeriesKind::scout ? "100" : bone ? "600" : "40");
  put(item, DCM_WindowWidth, series.kind == SeriesKind::scout ? "1500" : bone ? "2800" : "80");
}

void put_pixel_form(DcmItem& item, int rows, int columns, int bits, bool is_signed) {
  put(item, DCM_SamplesPerPixel, Uint16{1});
  put(item, DCM_PhotometricInterpretation, "MONOCHROME2");
  put(item, DCM_Rows, static_cast<Uint16>(rows));
  put(item, DCM_Columns, static_cast<Uint16>(columns));
  put(item, DCM_BitsAllocated, static_cast<Uint16>(bits > 8 ? 16 : 8));
  put(item, DCM_BitsStored, static_cast<Uint16>(bits));
  put(item, DCM_HighBit, static_cast<Uint16>(bits - 1));
  put(item, DCM_PixelRepresentation, static_cast<Uint16>(is_signed ? 1 : 0));
}

void put_pixels(DcmItem& item, std::span<const std::int16_t> stored) {
  std::vector<Uint16> words(stored.begin(), stored.end());
  must(item.putAndInsertUint16Array(DCM_PixelData, words.data(), static_cast<unsigned long>(words.size())),
       "set pixels");
}

std::vector<std::string> page_lines(const StudyPlan& study) {
  return {"DOSE REPORT",
          study.visit.patient.name,
          study.visit.patient.id,
          fmt::format("ACC {}", study.row.accession_number),
          "",
          "SERIES TYPE   CTDIVOL  DLP",
          "1  SCOUT      0.1      2",
          "2  AXIAL      52.4     786",
          "PHANTOM HEAD 16 CM"};
}

}  // namespace

// The attributes that all images of a series share, and the place of the next one.
struct StudyWriter::Series {
  DcmFileFormat file;
  const SeriesPlan& plan;
  Point step_w, step_h;

  DcmDataset& data() { return *file.getDataset(); }

  Series(const StudyPlan& study, const SeriesPlan& series) : plan(series) {
    put_study(data(), study);
    put_series(data(), study, series);
  }
  void identify(const StudyPlan& study, std::size_t k, std::size_t number) {
    const auto uid = uid_of(study.seed, study.index, kUidInstances + static_cast<std::uint32_t>(plan.kind),
                            static_cast<std::uint32_t>(k));
    put(data(), DCM_SOPInstanceUID, uid);
    put(data(), DCM_InstanceNumber, fmt::format("{}", number));
  }
};

StudyWriter::StudyWriter(const Options& options, const StudyPlan& study, std::string folder, std::size_t files)
    : options_(options),
      study_(study),
      folder_(std::move(folder)),
      names_(files),
      draws_(study.seed, Stream::files, study.index) {
  for (std::size_t i = 0; i < files; ++i) names_[i] = i;
  draws_.shuffle(names_);
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  STRATA_CHECK(!error, environment, "phantom",
               fmt::format("the folder {} could not be made: {}", io::printable(folder_, 400), error.message()),
               "choose another --to");
  if (options.other_syntax > 0) register_encoders();
}

std::string StudyWriter::next_path() {
  STRATA_CHECK(!names_.empty(), internal, "phantom", "more files than were counted");
  const auto name = fmt::format("{}/IM{:05d}{}", folder_, names_.back(), study_.index % 2 == 0 ? "" : ".dcm");
  names_.pop_back();
  return name;
}

void StudyWriter::save(Series& series) {
  const bool twice = draws_.chance(options_.duplicates);
  const E_TransferSyntax syntax = syntax_of(series.plan.syntax);
  const bool lossless_jpeg = series.plan.syntax == Syntax::jpeg_lossless;
  const DJ_RPLossless jpeg;
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    must(series.data().chooseRepresentation(syntax, lossless_jpeg ? &jpeg : nullptr), "encode pixels");
    last_path_ = next_path();
    const OFCondition saved = series.file.saveFile(last_path_.c_str(), syntax, EET_ExplicitLength);
    STRATA_CHECK(saved.good(), environment, "phantom",
                 fmt::format("{} could not be written: {}", io::printable(last_path_, 400), saved.text()),
                 "is the disk full?");
    ++written_.files;
    written_.bytes += static_cast<std::int64_t>(std::filesystem::file_size(last_path_));
  }
}

void StudyWriter::axial(const SeriesPlan& plan, const Slices& slices) {
  Series series(study_, plan);
  DcmDataset& data = series.data();
  const Scanner& scanner = study_.scanner;
  put_ct(data, study_, plan);
  put(data, DCM_ImageType, "ORIGINAL\\PRIMARY\\AXIAL");
  put(data, DCM_ConvolutionKernel, plan.kernel);
  put(data, DCM_PixelSpacing, fmt::format("{}\\{}", decimal(slices.spacing), decimal(slices.spacing)));
  const double tilt = study_.tilt * std::numbers::pi / 180;
  put(data, DCM_ImageOrientationPatient,
      cosines({1, 0, 0}, {0, static_cast<float>(std::cos(tilt)), static_cast<float>(-std::sin(tilt))}));
  put_pixel_form(data, slices.matrix, slices.matrix, scanner.bits, scanner.is_signed);
  if (scanner.pads) must(data.putAndInsertSint16(DCM_PixelPaddingValue, kStoredPadding), "set the padding");
  const auto area = static_cast<std::size_t>(slices.matrix) * static_cast<std::size_t>(slices.matrix);
  const float half = 0.5f * static_cast<float>(slices.matrix - 1);
  for (std::size_t k = 0; k < slices.centres.size(); ++k) {
    const Point &c = slices.centres[k], &w = slices.step_w, &h = slices.step_h;
    series.identify(study_, k, plan.from_top ? slices.centres.size() - k : k + 1);
    put(data, DCM_ImagePositionPatient,
        decimals({c.x - half * (w.x + h.x), c.y - half * (w.y + h.y), c.z - half * (w.z + h.z)}));
    put(data, DCM_SliceLocation, decimal(c.z));
    put_pixels(data, std::span(slices.stored).subspan(k * area, area));
    save(series);
  }
  ++written_.series;
}

void StudyWriter::scout(const SeriesPlan& plan, const Projection& picture) {
  Series series(study_, plan);
  DcmDataset& data = series.data();
  put_ct(data, study_, plan);
  put(data, DCM_ImageType, "ORIGINAL\\PRIMARY\\LOCALIZER");
  put(data, DCM_PixelSpacing, fmt::format("{}\\{}", decimal(picture.spacing), decimal(picture.spacing)));
  put(data, DCM_ImageOrientationPatient, cosines({0, 1, 0}, {0, 0, -1}));
  put(data, DCM_ImagePositionPatient, decimals(picture.origin));
  put_pixel_form(data, picture.rows, picture.columns, study_.scanner.bits, study_.scanner.is_signed);
  series.identify(study_, 0, 1);
  put_pixels(data, picture.stored);
  save(series);
  ++written_.series;
}

void StudyWriter::dose_page(const SeriesPlan& plan) {
  io::Image page = io::Image::filled(256, 160, 1);
  int y = 8;
  for (const auto& line : page_lines(study_)) {
    io::draw_text(page, 8, y, line, {255, 255, 255});
    y += 2 * io::kGlyphHeight;
  }
  Series series(study_, plan);
  DcmDataset& data = series.data();
  put(data, DCM_SOPClassUID, UID_SecondaryCaptureImageStorage);
  put(data, DCM_ConversionType, "WSD");
  put(data, DCM_ImageType, "DERIVED\\SECONDARY\\OTHER\\DOSE_INFO");
  put(data, DCM_BurnedInAnnotation, "YES");
  put_pixel_form(data, page.height, page.width, 8, false);
  series.identify(study_, 0, 1);
  must(data.putAndInsertUint8Array(DCM_PixelData, page.pixels.data(), static_cast<unsigned long>(page.pixels.size())),
       "set pixels");
  save(series);
  ++written_.series;
}

void StudyWriter::truncated_copy() {
  std::ifstream from(last_path_, std::ios::binary);
  std::vector<char> bytes(std::filesystem::file_size(last_path_));
  from.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const std::string path = next_path();
  std::ofstream to(path, std::ios::binary | std::ios::trunc);
  to.write(bytes.data(), static_cast<std::streamsize>(bytes.size() * (1 + draws_.below(8)) / 10));
  to.flush();
  STRATA_CHECK(from.good() && to.good(), environment, "phantom",
               fmt::format("{} could not be written", io::printable(path, 400)), "is the disk full?");
  ++written_.files;
}

Written write_study(const Options& options, std::int64_t index, const std::string& folder) {
  check(options);
  const StudyPlan study = plan_study(options, index);
  std::size_t images = 1;
  for (const auto& series : study.series) images += std::max<std::size_t>(1, series.table.size());
  StudyWriter writer(options, study, fmt::format("{}/{:03d}/{:06d}", folder, index / 1000, index), 2 * images);
  for (const auto& series : study.series)
    if (!series.table.empty()) {
      const Slices slices = render(study, series);
      writer.axial(series, slices);
      if (series.kind != SeriesKind::thick) continue;
      for (const auto& other : study.series)
        if (other.kind == SeriesKind::scout) writer.scout(other, project(study, slices));
    } else if (series.kind == SeriesKind::dose) {
      writer.dose_page(series);
    }
  Draws draws(options.seed, Stream::files, index, 1);
  if (draws.chance(options.broken)) writer.truncated_copy();
  return writer.written();
}

}  // namespace strata::phantom
