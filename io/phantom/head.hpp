// SPDX-License-Identifier: Apache-2.0
//
// The anatomy of a head as a function of a point: HU without noise. Shapes are ellipsoids, capsules and planes whose
// signed distances are good to first order near their surfaces, which is where it matters: an edge is blended over the
// size of a voxel (partial volume). Good enough for a reader to recognise, for a network to learn from and for an
// ingest to be tested with; not an atlas.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "io/phantom/findings.hpp"

namespace strata::phantom {

// How one patient's head differs from the mean.
struct HeadShape {
  Point size{1, 1, 1};   // relative
  float skull = 6.5f;    // thickness of the vault, mm
  float scalp = 5;       // mm
  float ventricles = 1;  // relative width
  float sulci = 1;       // relative width
  float cortex_gap = 1;  // fluid between brain and skull, mm
  float sinuses = 1;     // relative size of the frontal ones
  float grey = 38, white = 29;
  bool calcified_pineal = false, calcified_plexus = false;
  std::array<float, 6> folds{};  // phases of the pattern of sulci, in turns
};

HeadShape draw_head(Draws& draws);

inline constexpr float kAir = -1000;

class Head {
 public:
  // `soft`: width over which edges blend, mm.
  Head(const HeadShape& shape, const Findings& findings, float soft);

  struct Sample {
    float hu = kAir;
    std::uint8_t lesion = 0;  // LesionKind of what covers more than half of the voxel, or 0
  };
  // Of a point in the head's frame.
  Sample at(const Point& p) const;
  // Of a point that this is not, nothing needs to be asked: it is air.
  static bool may_hold(const Point& p) {
    const float x = p.x / 100, y = p.y / 122, z = std::max(p.z, 0.0f) / 102;
    return x * x + y * y + z * z < 1;
  }

 private:
  struct Brain;  // what is known of a point inside the cavity
  // Distances to the surfaces that everything else hangs on.
  struct Skull {
    float vault;   // to the cavity as if it had no floor
    float floor;   // below its floor
    float cavity;  // to the cavity
    float skin;    // to the outside
    float thickness;
    float scalp;
    float near_fracture = 1e3f;  // distance to the middle of the fracture
    float pressed = 0;           // how deep a fragment was pressed in here
  };

  // 1 inside, 0 outside.
  float cover(float distance) const { return std::clamp(0.5f - distance * per_soft_, 0.0f, 1.0f); }
  // What lies within the shape becomes hu.
  void blend(Sample& sample, float hu, float distance) const {
    if (distance < 0.5f * soft_) sample.hu += cover(distance) * (hu - sample.hu);
  }
  void mark(Sample& sample, const Lesion& lesion, float hu, float distance) const;

  Skull skull_at(const Point& p) const;
  void paint_outside(Sample& sample, const Point& p, const Skull& skull) const;
  void paint_face(Sample& sample, const Point& p) const;
  void paint_bone(Sample& sample, const Point& p, const Skull& skull) const;
  void paint_base(Sample& sample, const Point& p) const;
  void paint_brain(Sample& sample, const Point& p, const Skull& skull) const;
  void paint_cortex(Sample& sample, Brain& brain) const;
  void paint_hindbrain(Sample& sample, const Brain& brain) const;
  void paint_deep(Sample& sample, const Brain& brain) const;
  void paint_cisterns(Sample& sample, const Brain& brain) const;
  void paint_ventricles(Sample& sample, const Brain& brain) const;
  void paint_falx(Sample& sample, const Brain& brain) const;
  void paint_lesions(Sample& sample, const Brain& brain) const;

  HeadShape shape_;
  Findings findings_;
  float soft_, per_soft_;
  const Lesion* fracture_;
  const Lesion* blood_;  // subarachnoid
  const Lesion* ventricle_blood_;
};

}  // namespace strata::phantom
