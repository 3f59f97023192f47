// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/head.hpp"

#include "io/phantom/shapes.hpp"

namespace strata::phantom {

namespace {

constexpr float kFat = -85, kMuscle = 52, kSkin = 35, kBlood = 60, kDense = 1150, kDiploe = 550, kSinusAir = -940;

// Where the floor of the cavity lies: high in front and higher above the orbits, low at the back, deep below the
// temporal lobes.
float floor_of(const Point& p) {
  const float x = std::abs(p.x);
  const float middle = smooth_step((x - 18) / 12) * smooth_step((p.y + 48) / 10) * smooth_step((12 - p.y) / 14);
  const float orbit =
      smooth_step(1 - std::abs(x - 29) / 22) * smooth_step((-34 - p.y) / 12) * smooth_step((p.y + 92) / 30);
  return -25 - 31 * smooth_step((p.y + 30) / 48) - 16 * middle * smooth_step((20 - p.y) / 40) + 11 * orbit;
}

// The cavity without its base; wider at the back than in front.
Point vault_radii(const Point& p) { return {kCavity.x * (1 + 0.07f * p.y / kCavity.y), kCavity.y, kCavity.z}; }

}  // namespace

HeadShape draw_head(Draws& draws) {
  HeadShape shape;
  const float all = draws.between(0.94, 1.06);
  shape.size = {all * draws.between(0.97, 1.03), all * draws.between(0.97, 1.03), all * draws.between(0.97, 1.03)};
  shape.skull = draws.between(5, 8.5);
  shape.scalp = draws.between(3.5, 6.5);
  const float age = draws.between(0, 1);  // of the brain: fluid where tissue was
  shape.ventricles = 0.75f + 0.55f * age + draws.between(-0.1, 0.1);
  shape.sulci = 0.6f + 0.9f * age + draws.between(-0.1, 0.1);
  shape.cortex_gap = 0.6f + 1.6f * age;
  shape.sinuses = draws.between(0.5, 1.2);
  shape.grey = draws.between(36.5, 39.5);
  shape.white = draws.between(27.5, 30);
  shape.calcified_pineal = draws.chance(0.5);
  shape.calcified_plexus = draws.chance(0.4);
  for (auto& phase : shape.folds) phase = draws.between(0, 1);
  return shape;
}

Head::Head(const HeadShape& shape, const Findings& findings, float soft)
    : shape_(shape),
      findings_(findings),
      soft_(soft),
      per_soft_(1 / soft),
      fracture_(findings_.find(LesionKind::fracture)),
      blood_(findings_.find(LesionKind::subarachnoid)),
      ventricle_blood_(findings_.find(LesionKind::intraventricular)) {}

void Head::mark(Sample& sample, const Lesion& lesion, float hu, float distance) const {
  blend(sample, hu, distance);
  if (distance < 0) sample.lesion = static_cast<std::uint8_t>(lesion.kind);
}

Head::Skull Head::skull_at(const Point& p) const {
  Skull skull{};
  const Point radii = vault_radii(p);
  skull.vault = ellipsoid(p, {}, radii);
  skull.floor = p.z > 18 ? -40 : (floor_of(p) - p.z) * 0.85f;  // where it is far nobody asks how far
  skull.cavity = std::max(skull.vault, skull.floor);
  if (fracture_ != nullptr) {
    skull.near_fracture = length(p - fracture_->centre);
    skull.pressed = fracture_->radii.x * smooth_step((20 - skull.near_fracture) / 6);
  }
  if (skull.cavity < -2 * soft_ - 8) {  // in the brain; a depressed fragment reaches no deeper
    skull.skin = skull.cavity;
    return skull;
  }
  const float forehead = std::max(0.0f, 1 - length(p - Point{0, -84, -8}) / 26);
  skull.thickness = shape_.skull + (5 + 4 * shape_.sinuses) * forehead;
  skull.scalp = shape_.scalp;
  if (fracture_ != nullptr) {
    const float t = 1 - skull.near_fracture / 40;
    if (t > 0) skull.scalp += fracture_->radii.y * smooth_step(1.3f * t);
  }
  // Below the brain the head narrows slowly into face and neck.
  const Point down{p.x, p.y, p.z > -16 ? p.z : -16 + 0.3f * (p.z + 16)};
  const float outer = p.z > -16 ? skull.vault : ellipsoid(down, {}, vault_radii(down));
  skull.skin = outer - skull.thickness - skull.scalp;
  if (p.z < 0) {
    skull.skin = std::min(skull.skin, ellipsoid(p, {0, -97, -48}, {10, 17, 24}));
    skull.skin = std::min(skull.skin, ellipsoid({std::abs(p.x), p.y, p.z}, {76, 14, -34}, {6, 15, 24}));
  }
  return skull;
}

Head::Sample Head::at(const Point& p) const {
  Sample sample;
  const Skull skull = skull_at(p);
  if (skull.skin > soft_) return sample;
  if (skull.cavity + skull.pressed > -soft_) {
    paint_outside(sample, p, skull);
    if (p.z < 12) paint_face(sample, p);
    paint_bone(sample, p, skull);
  }
  if (skull.cavity < soft_) paint_brain(sample, p, skull);
  if (p.z < -14) paint_base(sample, p);
  return sample;
}

void Head::paint_outside(Sample& sample, const Point& p, const Skull& skull) const {
  blend(sample, kSkin, skull.skin);
  blend(sample, kFat, skull.skin + 2);
  if (fracture_ != nullptr && skull.near_fracture < 34)
    blend(sample, kBlood, std::max(skull.skin + 2.5f, skull.near_fracture - 32));
  // Temporal muscle, and below the base muscle with planes of fat.
  const float temporal =
      std::max({skull.skin + 2.5f, std::abs(p.z + 12) - 26, std::abs(p.y + 22) - 30, 40 - std::abs(p.x)});
  blend(sample, kMuscle, temporal);
  if (p.z < -14) {
    const float planes =
        wave(p.x / 47 + 0.5f * wave(p.y / 53 + p.z / 71)) + wave(p.y / 41 + 0.4f * wave(p.x / 59 - p.z / 67));
    const float fat = std::clamp((planes - 0.9f) / 0.5f, 0.0f, 1.0f);
    blend(sample, kMuscle + fat * (kFat - kMuscle), std::max(skull.skin + 5, p.z + 16));
  }
}

void Head::paint_face(Sample& sample, const Point& p) const {
  const Point m{std::abs(p.x), p.y, p.z};  // the face is symmetric
  if (m.y > -20 || p.z > 6) return;
  blend(sample, 800, ellipsoid(m, {29, -66, -35}, {21, 24, 20}));
  blend(sample, 700, ellipsoid(m, {14, -62, -56}, {30, 30, 16}));
  blend(sample, kFat, ellipsoid(m, {30, -67, -35}, {18, 26, 17}));
  blend(sample, kMuscle, std::abs(ellipsoid(m, {30, -64, -35}, {12, 26, 12})) - 1.2f);
  blend(sample, 45, ellipsoid(m, {32, -80, -35}, {12.5f, 12.5f, 12.5f}));
  blend(sample, 8, ellipsoid(m, {32, -80, -35}, {11, 11, 11}));
  blend(sample, 90, ellipsoid(m, {32, -88.5f, -35}, {4.5f, 2, 4.5f}));
  blend(sample, 38, capsule(m, {31, -68, -35}, {17, -36, -33}, 2, 2));
  const float septa = std::abs(wave(m.y / 17) + wave(p.z / 15 + 0.2f * wave(m.y / 23)));
  const float cells = std::max({m.x - 11, std::abs(m.y + 56) - 19, std::abs(p.z + 42) - 15});
  blend(sample, 250, cells - 1.5f);
  blend(sample, kSinusAir, std::max({cells, 1.5f - m.x, 1.2f - 3 * septa}));
  blend(sample, kSinusAir, ellipsoid(m, {26, -60, -66}, {13, 14, 14}));
}

void Head::paint_bone(Sample& sample, const Point& p, const Skull& skull) const {
  const float inner = skull.cavity + skull.pressed;
  float thickness = skull.vault > skull.floor ? skull.thickness : 5;
  const float middle = std::abs(inner - 0.5f * thickness) / (0.5f * thickness);
  const float hu = kDiploe + (kDense - kDiploe) * std::min(1.0f, middle * middle);
  blend(sample, hu, std::abs(inner - 0.5f * thickness) - 0.5f * thickness);
  if (p.y < -70 && p.z < 14 && shape_.sinuses > 0) {
    const Point half{std::abs(p.x), p.y, p.z};
    const float size = shape_.sinuses;
    blend(sample, kSinusAir, ellipsoid(half, {11, -89, -6}, {11 * size, 4 * size, 12 * size}));
  }
  if (fracture_ == nullptr || skull.near_fracture > fracture_->reach ||
      std::abs(inner - 0.5f * thickness) > 0.5f * thickness + 1)
    return;
  // The line runs in the surface, so its plane holds the direction to the centre.
  const Point from = p - fracture_->centre;
  const float across = std::cos(fracture_->angle) * from.y + std::sin(fracture_->angle) * from.z +
                       1.5f * wave(from.y / 23 + from.z / 19);
  mark(sample, *fracture_, kBlood, std::abs(across) - 0.5f * fracture_->thickness);
}

// Bones that stand into the cavity, with the cells of the mastoid and the sinus behind the nose.
void Head::paint_base(Sample& sample, const Point& p) const {
  const Point m{std::abs(p.x), p.y, p.z};
  if (p.z < -90 || m.y > 46 || m.y < -46) return;
  blend(sample, kDense, capsule(m, {16, -4, -46}, {54, 24, -46}, 6, 10));
  blend(sample, 900, capsule(p, {0, -16, -40}, {0, 4, -66}, 7, 6));
  blend(sample, 900, ellipsoid(m, {54, 30, -54}, {13, 14, 18}));
  blend(sample, 900, capsule(m, {8, -26, -26}, {48, -40, -20}, 3, 3));  // lesser wing
  const float cells = std::abs(wave(m.x / 11 + 0.2f * wave(p.z / 13)) + wave(m.y / 12) + wave(p.z / 12.5f));
  blend(sample, -800, std::max(ellipsoid(m, {55, 30, -55}, {10, 11, 15}), 1.2f - 2.5f * cells));
  blend(sample, kSinusAir, capsule(m, {52, 10, -46}, {72, 12, -42}, 3.5f, 3.5f));  // ear canal
  blend(sample, kSinusAir, ellipsoid(m, {8, -24, -46}, {7, 11, 9}));               // sphenoid sinus
}

}  // namespace strata::phantom
