// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/plan.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "io/phantom/report.hpp"
#include "strata/base/error.hpp"

namespace strata::phantom {
namespace {

constexpr std::array kScanners{
    Scanner{"Phantomworks", "Spiral 16", "H31s", "H60s", false, 12, -1024, false},
    Scanner{"Imaginary Medical Systems", "BrightPlane", "STANDARD", "BONEPLUS", true, 16, -1024, true},
    Scanner{"Phantomworks", "Axial 4", "UB", "D", true, 16, 0, false},
};
constexpr std::array kDescriptions{"CT HEAD WITHOUT CONTRAST", "CT Head Plain", "HEAD ROUTINE", "CT BRAIN W/O"};
constexpr std::array kPhysicians{"Orchardson^Wilhelmina", "Pemberley^Augustus", "Zimmerblum^Käthe"};
constexpr std::array kInstitutions{"Saint Elsewhere Infirmary", "Nowhere County Hospital"};

// R = Rz(yaw) · Ry(roll) · Rx(pitch), row major.
std::array<double, 9> rotation(double yaw, double roll, double pitch) {
  const double cy = std::cos(yaw), sy = std::sin(yaw), cr = std::cos(roll), sr = std::sin(roll), cp = std::cos(pitch),
               sp = std::sin(pitch);
  return {cy * cr,
          cy * sr * sp - sy * cp,
          cy * sr * cp + sy * sp,  //
          sy * cr,
          sy * sr * sp + cy * cp,
          sy * sr * cp - cy * sp,  //
          -sr,
          cr * sp,
          cr * cp};
}

void place_head(Draws& draws, StudyPlan& study) {
  const double degree = std::numbers::pi / 180;
  const double yaw = draws.normal() * 2.5 * degree, roll = draws.normal() * 1.5 * degree,
               pitch = draws.normal() * 2.5 * degree;
  study.turn = rotation(yaw, roll, pitch);
  study.offset = {draws.between(-4, 4), draws.between(-5, 2), draws.between(-4, 4)};
  study.field = draws.uniform(222, 240);
}

void name_study(Draws& draws, const Options& options, StudyPlan& study) {
  study.scanner = draws.pick(kScanners);
  const int year = 2008 + static_cast<int>(draws.below(10)) + study.visit.number;
  const auto month = 1 + draws.below(12), day = 1 + draws.below(28);
  study.date = fmt::format("{}{:02d}{:02d}", year, month, day);
  const auto hour = draws.below(24), minute = draws.below(60), second = draws.below(60);
  study.time = fmt::format("{:02d}{:02d}{:02d}", hour, minute, second);
  study.age = year - study.visit.patient.birth_year;
  study.description = draws.pick(kDescriptions);
  study.physician = draws.pick(kPhysicians);
  study.institution = draws.pick(kInstitutions);
  study.row.accession_number = fmt::format("A{}{:08d}", tag_of(options.seed), study.index + 1);
  study.row.study_uid = uid_of(options.seed, study.index, 0, 0);
  study.row.patient_id = study.visit.patient.id;
}

SeriesPlan series_of(const StudyPlan& study, SeriesKind kind) {
  const bool bone = kind == SeriesKind::bone, thin = kind == SeriesKind::thin;
  SeriesPlan series{.kind = kind, .kernel = bone ? study.scanner.bone_kernel : study.scanner.soft_kernel};
  series.thickness = thin ? 1.25 : 5;
  series.noise = bone ? 22 : thin ? 8 : 4.5;
  series.description = bone ? "Head 5.0 bone" : thin ? "Head 1.25 thin" : "Head 5.0 brain";
  const double low = -60 + study.offset.z, high = 84 * static_cast<double>(study.head.size.z) + study.offset.z;
  const auto slices = static_cast<int>(std::ceil((high - low) / series.thickness)) + 1;
  for (int k = 0; k < slices; ++k) series.table.push_back(std::round(100 * (low + k * series.thickness)) / 100);
  return series;
}

// Posterior fossa in 2.5 mm steps, the rest in 5 mm steps.
void space_unevenly(SeriesPlan& series) {
  std::vector<double> table;
  for (const double z : series.table) {
    table.push_back(z);
    if (z < series.table.front() + 40) table.push_back(z + 2.5);
  }
  series.table = std::move(table);
}

void add_page(StudyPlan& study, SeriesKind kind) {
  const bool scout = kind == SeriesKind::scout;
  study.series.push_back({.kind = kind, .description = scout ? "Scout" : "Dose Report", .thickness = scout ? 1.0 : 0});
}

void plan_acquisition(Draws& draws, const Options& options, StudyPlan& study) {
  if (draws.chance(options.tilt)) study.tilt = std::round(draws.uniform(80, 220)) / 10;
  const bool thin = draws.chance(options.thin), bone = draws.chance(options.bone), scout = draws.chance(options.scout),
             dose = draws.chance(options.dose), gaps = draws.chance(options.gaps),
             missing = draws.chance(options.missing);
  if (scout) add_page(study, SeriesKind::scout);
  study.series.push_back(series_of(study, SeriesKind::thick));
  auto& table = study.series.back().table;
  if (gaps) space_unevenly(study.series.back());
  if (missing) table.erase(table.begin() + 5 + static_cast<std::ptrdiff_t>(draws.below(table.size() - 10)));
  if (bone) study.series.push_back(series_of(study, SeriesKind::bone));
  if (thin) study.series.push_back(series_of(study, SeriesKind::thin));
  if (dose) add_page(study, SeriesKind::dose);
  int number = 1;
  for (auto& series : study.series) {
    series.number = series.kind == SeriesKind::dose ? 999 : number++;
    series.from_top = draws.chance(0.4);
    if (draws.chance(options.other_syntax)) series.syntax = static_cast<Syntax>(1 + draws.below(6));
  }
}

// Patients live in blocks of four studies, so whole blocks are held out: of the first n blocks ⌊n · share⌋.
std::string split_of(const Options& options, std::int64_t index) {
  if (options.test == 0) return {};
  const auto held_out = [&](std::int64_t blocks) {
    return std::floor(static_cast<double>(blocks) * options.test + 1e-9);
  };
  const std::int64_t block = index / 4;
  return held_out(block + 1) > held_out(block) ? "test" : "train";
}

void check_share(const char* name, double share) {
  STRATA_CHECK(share >= 0 && share <= 1, usage, "phantom", fmt::format("the share of {} is {}", name, share),
               "give a number from 0 to 1");
}

}  // namespace

void check(const Options& options) {
  STRATA_CHECK(options.studies >= 1 && options.studies <= 100'000, usage, "phantom",
               fmt::format("{} studies were asked for", options.studies), "1 to 100,000 are possible");
  STRATA_CHECK(options.matrix >= 64 && options.matrix <= 1024, usage, "phantom",
               fmt::format("a matrix of {} was asked for", options.matrix),
               "64 to 1,024 are possible; scanners use 512");
  check_share("studies without findings", options.normal);
  check_share("studies with a thin series", options.thin);
  check_share("studies with a bone kernel", options.bone);
  check_share("studies with a scout", options.scout);
  check_share("studies with a dose page", options.dose);
  check_share("tilted studies", options.tilt);
  check_share("studies with uneven gaps", options.gaps);
  check_share("studies with a missing slice", options.missing);
  check_share("duplicated images", options.duplicates);
  check_share("studies with a broken file", options.broken);
  check_share("series in other transfer syntaxes", options.other_syntax);
  check_share("held-out studies", options.test);
}

StudyPlan plan_study(const Options& options, std::int64_t index) {
  StudyPlan study{
      .seed = options.seed, .index = index, .visit = visit_of(options.seed, index), .matrix = options.matrix};
  Draws head(options.seed, Stream::head, study.visit.patient.number);
  study.head = draw_head(head);
  Draws findings(options.seed, Stream::findings, index);
  study.findings = draw_findings(findings, options.normal);
  Draws report(options.seed, Stream::report, index);
  study.row.report = write_report(report, study.findings);
  study.row.labels = labels_of(study.findings);
  study.row.split = split_of(options, index);
  Draws draws(options.seed, Stream::study, index);
  name_study(draws, options, study);
  place_head(draws, study);
  plan_acquisition(draws, options, study);
  return study;
}

SeriesPlan plan_series(const Options& options, const StudyPlan& study, SeriesKind kind) {
  for (const auto& series : study.series)
    if (series.kind == kind) return series;
  STRATA_CHECK(kind != SeriesKind::scout && kind != SeriesKind::dose, usage, "phantom",
               "scouts and dose pages have no slices");
  check(options);
  return series_of(study, kind);
}

Row describe(const Options& options, std::int64_t index) { return plan_study(options, index).row; }

std::vector<std::string> planted_texts(const Options& options, std::int64_t index) {
  const StudyPlan study = plan_study(options, index);
  const Patient& patient = study.visit.patient;
  return {patient.name,      patient.id,      patient.other_id,           patient.address,    patient.birth_date,
          study.institution, study.physician, study.row.accession_number, study.row.study_uid};
}

}  // namespace strata::phantom
