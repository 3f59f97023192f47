// SPDX-License-Identifier: Apache-2.0
//
// How a study is acquired: patient, scanner, position of the head, series and their slices. Everything that files and
// pictures need, drawn before either is made.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "io/phantom/findings.hpp"
#include "io/phantom/head.hpp"
#include "io/phantom/patient.hpp"
#include "io/phantom/phantom.hpp"

namespace strata::phantom {

enum class Syntax : std::uint8_t {
  explicit_little,
  implicit_little,
  explicit_big,
  deflated,
  rle,
  jpeg_lossless,
  jpeg_ls
};

// A made-up make of scanner: how it stores HU and what it calls things.
struct Scanner {
  const char *manufacturer, *model, *soft_kernel, *bone_kernel;
  bool is_signed;
  int bits, intercept;
  bool pads;  // outside of the circle it reconstructs, with the stored value -2000
};

struct SeriesPlan {
  SeriesKind kind{};
  int number = 1;
  std::string description{}, kernel{};
  double thickness = 0;
  std::vector<double> table{};  // z of each slice's centre, ascending, mm
  double noise = 0;             // standard deviation, HU
  Syntax syntax = Syntax::explicit_little;
  bool from_top = false;  // instance 1 is the highest slice
};

struct StudyPlan {
  std::uint64_t seed = 0;
  std::int64_t index = 0;
  Visit visit{};
  Row row{};
  Findings findings{};
  HeadShape head{};
  Scanner scanner{};
  std::string date{}, time{}, description{}, physician{}, institution{};
  Point offset{};                // of the head, LPS, mm
  std::array<double, 9> turn{};  // columns: the head's axes in LPS
  double tilt = 0, field = 250;  // degrees; diameter of reconstruction, mm
  int matrix = 128, age = 50;
  std::vector<SeriesPlan> series{};
};

StudyPlan plan_study(const Options& options, std::int64_t index);
// Not among the study's own: as draw_series() wants it.
SeriesPlan plan_series(const Options& options, const StudyPlan& study, SeriesKind kind);

}  // namespace strata::phantom
