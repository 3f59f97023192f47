// SPDX-License-Identifier: Apache-2.0
// Values stay at their place in the patient through every geometric step.
#include <gtest/gtest.h>

#include "strata/study/crop.hpp"
#include "strata/study/resample.hpp"
#include "tests/unit/study/ramp.hpp"

namespace strata::study {
namespace {

constexpr double kTolerance = 2e-3;  // values reach a few hundred in f32, positions are rounded once a step

Volume source() { return ramp_volume(oblique({9, 14, 11}, {2.5, 0.9, 1.1})); }

TEST(Ramp, ObliqueAxesStandAtRightAngles) { EXPECT_TRUE(is_orthogonal(source().geometry, 1e-12)); }

TEST(Ramp, SurvivesWhatCopies) {
  for (const char* axes : {"RAS", "IPR", "SPL", "PIL"}) {
    const Volume oriented = orient(source(), {axes});
    EXPECT_EQ(orientation_of(oriented.geometry), axes);
    EXPECT_EQ(ramp_error(oriented), 0) << axes;
    EXPECT_EQ(ramp_error(own_plane(source(), {axes})), 0) << axes;
  }
  EXPECT_LT(ramp_error(crop(source(), {{5, 0, 6}})), 1e-4);
  const Volume padded = pad(source(), {{12, 20, 11}});
  EXPECT_EQ(padded.geometry.extents, (Extents3{12, 20, 11}));
  EXPECT_LT(ramp_error(padded), 1e-4);
  EXPECT_LT(ramp_error(pad_square(source())), 1e-4);
  EXPECT_LT(ramp_error(crop_foreground(source(), {120})), 1e-4);
  EXPECT_LT(ramp_error(crop_foreground(source(), {120, {3, 2, 4}})), 1e-4);
}

TEST(Ramp, SurvivesInterpolation) {
  for (const Filter filter : {Filter::linear, Filter::cubic}) {
    const std::array filters{filter, filter, filter};
    for (const Extents3& extents : {Extents3{18, 7, 23}, Extents3{4, 28, 5}, Extents3{0, 0, 30}}) {
      const Volume resized = resize(source(), {extents, filters});
      // an edge repeats: half a sample's width from the border values stop following the ramp, for a spline somewhat
      // more
      EXPECT_LT(ramp_error(resized, filter == Filter::linear ? 3 : 0), filter == Filter::linear ? kTolerance : 3)
          << extents[0];
    }
  }
}

TEST(Ramp, SurvivesSpacing) {
  for (const Align align : {Align::edges, Align::centers}) {
    const Volume fine = to_spacing(source(), {{1.3, 0.5, 0}, {Filter::linear, Filter::linear, Filter::linear}, align});
    EXPECT_LT(ramp_error(fine, 2), kTolerance);
    EXPECT_EQ(fine.geometry.extents[2], 11);
    EXPECT_NEAR(spacing_of(fine.geometry)[0], 1.3, align == Align::edges ? 0.1 : 1e-9);
  }
}

// A mean over a box has its centre's value only where the box ends between voxels on both sides.
TEST(Ramp, SurvivesAreaByWholeFactors) {
  const Volume source = ramp_volume(oblique({8, 12, 15}, {2, 1, 1}));
  const std::array filters{Filter::area, Filter::area, Filter::area};
  EXPECT_LT(ramp_error(resize(source, {{4, 4, 3}, filters})), kTolerance);
}

TEST(Ramp, SurvivesStepsInARow) {
  Volume v = orient(source(), {"RAS"});
  v = to_spacing(v, {{1, 1, 1}, {Filter::linear, Filter::linear, Filter::linear}, Align::centers});
  v = own_plane(v);
  v = pad_square(v);
  v = crop(v, {{6, 8, 8}});
  EXPECT_EQ(v.geometry.extents, (Extents3{6, 8, 8}));
  EXPECT_LT(ramp_error(v, 1), kTolerance);
}

}  // namespace
}  // namespace strata::study
