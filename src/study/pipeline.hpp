// SPDX-License-Identifier: Apache-2.0
//
// A volume on its way through steps. Geometric steps only lengthen a plan; it is carried out when something has to see
// values (percentiles of a changed field of view, a foreground, spline coefficients) or at the end, together with the
// windows.
#pragma once

#include <vector>

#include "strata/study/profile.hpp"
#include "study/execute.hpp"
#include "study/measure.hpp"
#include "study/plan.hpp"
#include "study/simd/rows.hpp"

namespace strata::study {

class Pipeline {
 public:
  explicit Pipeline(const Volume& source);  // which must outlive the pipeline

  void run(const Orient& step) { add_step(step); }
  void run(const OwnPlane& step) { add_step(step); }
  void run(const PadSquare& step) { add_step(step); }
  void run(const Pad& step) { add_step(step); }
  void run(const Crop& step) { add_step(step); }
  void run(const Resize& step);
  void run(const Spacing& step);
  void run(const CropForeground& step);
  void run(const Windows& step);
  void run(const Percentiles& step);

  const Geometry& geometry() const { return plan_.geometry; }
  Volume volume() &&;                           // before any window
  std::vector<StoredScan> stored(DType dtype);  // after windows: voxels, geometry, intensity, window name

 private:
  template <class StepType>
  void add_step(const StepType& step) {  // that moves voxels and interpolates nothing: windows may come before or after
    add(plan_, step);
  }
  void before_interpolation();
  void settle();
  void to_coefficients(const std::array<bool, 3>& axes);
  std::vector<Pass> passes_on_read(std::vector<StoredScan>& scans, DType dtype) const;
  std::vector<Pass> pass_on_write(std::vector<StoredScan>& scans, DType dtype);
  const Measured& measured();
  ReadMap interpolating_read();

  const Volume* source_;
  Volume owned_;  // what source_ is, once a plan was carried out
  Plan plan_;
  std::optional<Measured> measured_;  // of source_
  std::vector<WindowedScan> windows_;
  bool on_read_ = false;  // windows come before the plan, else after it
};

}  // namespace strata::study
