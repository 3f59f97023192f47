// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/findings.hpp"

#include <algorithm>
#include <array>

namespace strata::phantom {
namespace {

// The point of the cavity's surface in the direction (x, y, z), given in units of its semi-axes.
Point on_cavity(float x, float y, float z) {
  const float norm = 1 / std::sqrt(x * x + y * y + z * z);
  return {kCavity.x * x * norm, kCavity.y * y * norm, kCavity.z * z * norm};
}

std::string region_of(const Point& p) {
  if (p.z > 0.72f * kCavity.z) return "parietal";
  if (p.y < -0.35f * kCavity.y) return "frontal";
  if (p.y > 0.6f * kCavity.y) return "occipital";
  return p.z > 0.4f * kCavity.z ? "parietal" : "temporal";
}

struct Site {
  const char* place;
  Point centre;  // on the left
  float largest;
};

constexpr std::array kSites{
    Site{"basal ganglia", {25, -8, 8}, 19},           Site{"thalamus", {14, 8, 8}, 15},
    Site{"frontal lobe", {31, -45, 22}, 24},          Site{"parietal lobe", {34, 28, 36}, 24},
    Site{"temporal lobe", {42, -2, -10}, 18},         Site{"occipital lobe", {26, 52, 10}, 19},
    Site{"cerebellar hemisphere", {24, 40, -34}, 17},
};

Lesion in_brain(Draws& draws, LesionKind kind) {
  const Site& site = draws.pick(kSites);
  Lesion lesion{.kind = kind, .side = draws.sign()};
  const float size = draws.between(14, site.largest);
  lesion.radii = {size * draws.between(0.75, 1.1), size * draws.between(0.85, 1.3), size * draws.between(0.75, 1.05)};
  lesion.centre = {static_cast<float>(lesion.side) * (site.centre.x + draws.between(-3, 3)),
                   site.centre.y + draws.between(-5, 5), site.centre.z + draws.between(-4, 4)};
  lesion.hu = kind == LesionKind::mass ? draws.between(16, 24) : draws.between(62, 76);
  lesion.place = site.place;
  return lesion;
}

Lesion at_skull(Draws& draws, LesionKind kind, Point low, Point high) {
  Lesion lesion{.kind = kind, .side = draws.sign()};
  const Point to{draws.between(low.x, high.x), draws.between(low.y, high.y), draws.between(low.z, high.z)};
  lesion.centre = on_cavity(static_cast<float>(lesion.side) * to.x, to.y, to.z);
  lesion.place = region_of(lesion.centre);
  return lesion;
}

Lesion draw_subdural(Draws& draws, bool chronic) {
  Lesion lesion = at_skull(draws, LesionKind::subdural, {0.8f, -0.3f, 0.05f}, {1, 0.35f, 0.45f});
  lesion.chronic = chronic;
  lesion.thickness = chronic ? draws.between(12, 22) : draws.between(8, 17);
  lesion.reach = draws.between(0.85, 1.2);
  lesion.hu = chronic ? draws.between(11, 17) : draws.between(62, 74);
  return lesion;
}

Lesion draw_epidural(Draws& draws) {
  Lesion lesion = at_skull(draws, LesionKind::epidural, {0.75f, -0.55f, 0.08f}, {1, 0.55f, 0.6f});
  lesion.thickness = draws.between(15, 26);
  const float ball = draws.between(25, 34);
  lesion.radii = {ball, ball, ball};
  lesion.hu = draws.between(64, 76);
  return lesion;
}

Lesion draw_subarachnoid(Draws& draws) {
  Lesion lesion = at_skull(draws, LesionKind::subarachnoid, {0.7f, -0.5f, 0}, {1, 0.5f, 0.7f});
  lesion.basal = draws.chance(0.4);
  if (lesion.basal) lesion.side = 0;
  lesion.reach = draws.between(0.75, 1.05);
  lesion.hu = draws.between(60, 74);
  return lesion;
}

Lesion draw_intraventricular(Draws& draws, int near_side) {
  Lesion lesion{.kind = LesionKind::intraventricular};
  lesion.layered = near_side == 0 && draws.chance(0.35);
  lesion.side = lesion.layered || draws.chance(0.3) ? 0 : near_side != 0 ? near_side : draws.sign();
  lesion.thickness = draws.between(20, 34);  // of the level, from the back of the occipital horn
  lesion.hu = draws.between(62, 74);
  return lesion;
}

Lesion draw_fracture(Draws& draws, const Lesion* below) {
  Lesion lesion = at_skull(draws, LesionKind::fracture, {0.6f, -0.75f, 0.1f}, {1, 0.75f, 0.7f});
  if (below != nullptr) {
    lesion.side = below->side;
    lesion.centre = below->centre;
    lesion.place = below->place;
  }
  lesion.thickness = draws.between(2.8, 4.5);
  lesion.reach = draws.between(24, 42);
  lesion.angle = draws.between(0, std::numbers::pi);
  lesion.radii.x = draws.chance(0.4) ? draws.between(4, 8) : 0;  // depressed by so much
  lesion.radii.y = draws.between(14, 20);                        // swelling of the scalp
  return lesion;
}

enum class Primary : std::uint8_t {
  parenchymal,
  intraventricular,
  subdural,
  epidural,
  subarachnoid,
  chronic,
  fracture,
  mass
};

void add_lesion(Draws& draws, Primary primary, std::vector<Lesion>& to) {
  switch (primary) {
    case Primary::parenchymal: {
      to.push_back(in_brain(draws, LesionKind::parenchymal));
      const bool deep = to.back().place == "thalamus" || to.back().place == "basal ganglia";
      if (deep && draws.chance(0.4)) to.push_back(draw_intraventricular(draws, to.back().side));
      return;
    }
    case Primary::intraventricular: return to.push_back(draw_intraventricular(draws, 0));
    case Primary::subdural: return to.push_back(draw_subdural(draws, false));
    case Primary::chronic: return to.push_back(draw_subdural(draws, true));
    case Primary::epidural: {
      to.push_back(draw_epidural(draws));
      const Lesion above = to.back();
      if (draws.chance(0.5)) to.push_back(draw_fracture(draws, &above));
      return;
    }
    case Primary::subarachnoid: return to.push_back(draw_subarachnoid(draws));
    case Primary::fracture: return to.push_back(draw_fracture(draws, nullptr));
    case Primary::mass: return to.push_back(in_brain(draws, LesionKind::mass));
  }
}

// Volume in mL, coarsely: what pushes.
float push_of(const Lesion& lesion) {
  const auto& r = lesion.radii;
  switch (lesion.kind) {
    case LesionKind::parenchymal: return 4.2e-3f * r.x * r.y * r.z;
    case LesionKind::mass: return 6.5e-3f * r.x * r.y * r.z;
    case LesionKind::subdural: return 3 * lesion.thickness * lesion.reach;
    case LesionKind::epidural: return 0.09f * lesion.thickness * lesion.thickness;
    default: return 0;
  }
}

void draw_mass_effect(Draws& draws, Findings& findings) {
  float most = 0;
  for (const auto& lesion : findings.lesions)
    if (push_of(lesion) > most && lesion.place != "cerebellar hemisphere") {
      most = push_of(lesion);
      findings.shift_side = lesion.side;
    }
  findings.mass_effect = most > 20;
  if (findings.mass_effect && draws.chance(0.75)) {
    findings.shift = std::min(13.0f, draws.between(0.1, 0.2) * (most + 10));
    if (!findings.midline_shift()) findings.shift = 1;  // nothing that readers could argue about
  }
}

}  // namespace

const Lesion* Findings::find(LesionKind kind) const {
  const auto at = std::ranges::find(lesions, kind, &Lesion::kind);
  return at == lesions.end() ? nullptr : &*at;
}

bool Findings::bleeds() const { return bleeds_on(1) || bleeds_on(-1); }

bool Findings::bleeds_on(int side) const {
  return std::ranges::any_of(lesions, [side](const Lesion& lesion) {
    return lesion.kind < LesionKind::fracture && (lesion.side == side || lesion.side == 0);
  });
}

Findings draw_findings(Draws& draws, double normal) {
  // In the order of Primary; the rest are masses.
  constexpr std::array kShares{0.18, 0.15, 0.13, 0.12, 0.14, 0.12, 0.11};
  Findings findings;
  if (draws.chance(normal)) return findings;
  const int count = draws.chance(0.35) ? 2 : 1;
  for (int i = 0; i < count; ++i) {
    double left = draws.uniform();
    std::size_t primary = 0;
    while (primary < kShares.size() && left >= kShares[primary]) left -= kShares[primary++];
    std::vector<Lesion> more;
    add_lesion(draws, static_cast<Primary>(primary), more);
    const bool repeated =
        std::ranges::any_of(more, [&](const Lesion& lesion) { return findings.find(lesion.kind) != nullptr; });
    if (!repeated) findings.lesions.insert(findings.lesions.end(), more.begin(), more.end());
  }
  draw_mass_effect(draws, findings);
  if (findings.find(LesionKind::intraventricular) != nullptr) findings.ventricles = draws.between(1.3, 1.65);
  return findings;
}

const std::vector<std::string>& label_names() {
  static const std::vector<std::string> names{"ICH",
                                              "IPH",
                                              "IVH",
                                              "SDH",
                                              "EDH",
                                              "SAH",
                                              "BleedLocation-Left",
                                              "BleedLocation-Right",
                                              "ChronicBleed",
                                              "Fracture",
                                              "CalvarialFracture",
                                              "MassEffect",
                                              "MidlineShift"};
  return names;
}

std::vector<int> labels_of(const Findings& findings) {
  const auto has = [&](LesionKind kind) { return findings.find(kind) != nullptr; };
  const Lesion* subdural = findings.find(LesionKind::subdural);
  const bool fracture = has(LesionKind::fracture);
  return {findings.bleeds(),
          has(LesionKind::parenchymal),
          has(LesionKind::intraventricular),
          subdural != nullptr,
          has(LesionKind::epidural),
          has(LesionKind::subarachnoid),
          findings.bleeds_on(1),
          findings.bleeds_on(-1),
          subdural != nullptr && subdural->chronic,
          fracture,
          fracture,
          findings.mass_effect,
          findings.midline_shift()};
}

}  // namespace strata::phantom
