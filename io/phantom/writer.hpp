// SPDX-License-Identifier: Apache-2.0
//
// DICOM files of a planned study (PS3.3: CT Image IOD, A.3; Secondary Capture Image IOD, A.8).
#pragma once

#include <string>

#include "io/phantom/plan.hpp"
#include "io/phantom/render.hpp"

namespace strata::phantom {

// Puts one study's files into a folder. Names are numbers that are dealt out at random.
class StudyWriter {
 public:
  // `files`: at least as many as will be written.
  StudyWriter(const Options& options, const StudyPlan& study, std::string folder, std::size_t files);

  void axial(const SeriesPlan& series, const Slices& slices);
  void scout(const SeriesPlan& series, const Projection& picture);
  void dose_page(const SeriesPlan& series);
  // The beginning of the last file that was written, under another name.
  void truncated_copy();

  const Written& written() const { return written_; }

 private:
  struct Series;
  void save(Series& series);
  std::string next_path();

  const Options& options_;
  const StudyPlan& study_;
  std::string folder_, last_path_;
  std::vector<std::size_t> names_;
  Draws draws_;
  Written written_;
};

}  // namespace strata::phantom
