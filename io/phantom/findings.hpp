// SPDX-License-Identifier: Apache-2.0
//
// What is wrong in a head, drawn at random: lesions with a place, a side and a size in the head's own frame, what they
// push, and the labels that follow. Head frame: mm of a mean adult head, x to the patient's left, y to the back, z to
// the top, the origin in the midline between the hemispheres.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/phantom/draws.hpp"

namespace strata::phantom {

struct Point {
  float x = 0, y = 0, z = 0;
};

// Semi-axes of the cranial cavity (its base is a plane of its own). Lesions at the skull are placed by it.
inline constexpr Point kCavity{66, 83, 72};

enum class LesionKind : std::uint8_t {
  parenchymal = 1,   // hematoma inside the brain, an irregular ellipsoid with a rim of edema
  intraventricular,  // a level or a cast in the lateral ventricles
  subdural,          // a crescent along the inner table
  epidural,          // a lens at the inner table
  subarachnoid,      // in the sulci of one side, or in the basal cisterns of both
  fracture,          // a gap in the vault below a swollen scalp
  mass,              // hypodense, with edema
};

struct Lesion {
  LesionKind kind{};
  int side = 1;          // 1 left, -1 right, 0 both
  bool chronic = false;  // subdural: hypodense
  bool layered = false;  // intraventricular: a level at the back instead of a cast
  bool basal = false;    // subarachnoid: in the cisterns
  Point centre{};        // in the brain, or on the cavity's surface
  Point radii{};         // of an ellipsoid, mm
  float thickness = 0;   // of what lies at the skull, mm
  float reach = 0;       // its half extent along the skull: radians (crescent, sulci), mm (fracture)
  float angle = 0;       // of a fracture line in its surface
  float hu = 65;
  std::string place{};  // "frontal lobe"
};

struct Findings {
  std::vector<Lesion> lesions{};
  float shift = 0;     // of the midline at its worst, mm, away from shift_side
  int shift_side = 0;  // of what pushes
  bool mass_effect = false;
  float ventricles = 1;  // wider when they hold blood

  const Lesion* find(LesionKind kind) const;
  bool bleeds() const;             // any hemorrhage
  bool bleeds_on(int side) const;  // both sides count for each
  bool midline_shift() const { return shift >= 3; }
};

// `normal`: the share of studies without any finding.
Findings draw_findings(Draws& draws, double normal);

// The columns of the label table, named as the public CQ500 reads, and a study's values.
const std::vector<std::string>& label_names();
std::vector<int> labels_of(const Findings& findings);

}  // namespace strata::phantom
