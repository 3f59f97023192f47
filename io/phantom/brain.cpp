// SPDX-License-Identifier: Apache-2.0
// What lies inside the cavity: painted from the outside in, lesions last.
#include "io/phantom/head.hpp"
#include "io/phantom/shapes.hpp"

namespace strata::phantom {
namespace {

constexpr float kFluid = 8, kFalx = 52, kEdema = 21;

// Roof of the posterior fossa.
float tentorium(const Point& p) { return -9 - 0.22f * std::abs(p.x) + 0.1f * (p.y - 40); }

}  // namespace

struct Head::Brain {
  Point p;              // where the voxel is
  Point q;              // where its tissue would be if nothing pushed
  float depth;          // below the inner table, mm
  int side;             // of q: 1 left, -1 right
  float pressed;        // 0 … 1: how much this side is pressed
  bool hind;            // below the tentorium
  float sulcus = 1e3f;  // distance to the nearest sulcus
};

void Head::paint_brain(Sample& sample, const Point& p, const Skull& skull) const {
  Brain brain{.p = p, .q = p, .depth = -skull.cavity - skull.pressed, .side = 1, .pressed = 0, .hind = false};
  if (findings_.shift > 0) {
    const float y = (p.y + 2) / 74, z = (p.z - 8) / 62;
    const float bulge = std::max(0.0f, 1 - y * y) * std::max(0.0f, 1 - z * z) * smooth_step(brain.depth / 28);
    brain.q.x += static_cast<float>(findings_.shift_side) * findings_.shift * bulge;
  }
  brain.side = brain.q.x > 0 ? 1 : -1;
  if (findings_.mass_effect && brain.side == findings_.shift_side)
    brain.pressed = std::min(1.0f, 0.5f + 0.06f * findings_.shift);
  const float roof = tentorium(brain.q);
  brain.hind = p.y > 4 && p.z < roof;

  const Sample outside = sample;
  sample.hu = shape_.white;
  paint_cortex(sample, brain);
  if (p.y > -20 && p.z < 0) paint_hindbrain(sample, brain);
  if (!brain.hind) paint_deep(sample, brain);
  if (p.z < 16) paint_cisterns(sample, brain);
  paint_ventricles(sample, brain);
  paint_falx(sample, brain);
  if (p.y > 8 && std::abs(p.z - roof) < 4) blend(sample, 45, std::abs(p.z - roof) - 0.5f);
  paint_lesions(sample, brain);
  const float inside = cover(-brain.depth);
  sample.hu = outside.hu + inside * (sample.hu - outside.hu);
  if (inside <= 0.5f) sample.lesion = outside.lesion;
}

void Head::paint_cortex(Sample& sample, Brain& brain) const {
  const Point& q = brain.q;
  const auto& phase = shape_.folds;
  const float scale = brain.hind ? 0.45f : 1;
  if (brain.depth < 26 || brain.hind) {
    const float field = wave(q.x / (27 * scale) + 0.35f * wave(q.y / 61 + phase[0]) + phase[1]) +
                        wave(q.y / (25 * scale) + 0.35f * wave(q.z / 57 + phase[2]) + phase[3]) +
                        wave(q.z / (29 * scale) + 0.35f * wave(q.x / 63 + phase[4]) + phase[5]);
    brain.sulcus = std::abs(field) * 3.2f * scale;
  }
  const float thin = 1 - 0.85f * brain.pressed;
  if (brain.hind) {  // folia: finer, shallower
    sample.hu = shape_.grey - 2;
    blend(sample, shape_.white + 4, 2 - brain.sulcus);
    blend(sample, kFluid, std::max(brain.sulcus - 0.3f * shape_.sulci, brain.depth - 6));
    return;
  }
  blend(sample, shape_.grey, std::min(brain.depth - 4.5f, std::max(brain.sulcus - 3.6f, brain.depth - 19)));
  const float deep = 10 + 6 * wave(q.x / 37 + q.y / 41 + phase[2]);
  blend(sample, kFluid, std::max(brain.sulcus - 0.75f * shape_.sulci * thin, brain.depth - deep));
  blend(sample, kFluid, brain.depth - shape_.cortex_gap * thin);
}

void Head::paint_hindbrain(Sample& sample, const Brain& brain) const {
  const Point& q = brain.q;
  const float stem = capsule(q, {0, 0, -14}, {0, 10, -70}, 14, 11);
  blend(sample, kFluid, std::max({stem - 4.5f, q.y - 5 + 0.25f * std::abs(q.x), q.z + 21}));  // in front of it
  blend(sample, 33, stem);
  blend(sample, kFluid, ellipsoid(q, {0, 24, -36}, {8 * shape_.ventricles, 5, 9}));
  blend(sample, kFluid, ellipsoid(q, {0, 52, -54}, {9, 14, 7}));
}

void Head::paint_deep(Sample& sample, const Brain& brain) const {
  const Point m{std::abs(brain.q.x), brain.q.y, brain.q.z};
  if (m.x > 48 || m.z > 40 || m.z < -24 || std::abs(m.y) > 50) return;
  blend(sample, shape_.grey, ellipsoid(m, {15, -24, 12}, {5.5f, 11, 12}));
  blend(sample, shape_.grey, ellipsoid(m, {11, 8, 7}, {9, 15, 10}));
  blend(sample, shape_.grey, ellipsoid(m, {26, -9, 5}, {7, 17, 11}));
  blend(sample, shape_.grey, std::max(std::abs(m.x - 39) - 2, ellipsoid(m, {39, -8, 5}, {8, 22, 16})));
}

void Head::paint_cisterns(Sample& sample, const Brain& brain) const {
  const Point m{std::abs(brain.q.x), brain.q.y, brain.q.z};
  const float thin = (1 - 0.6f * brain.pressed) * (0.7f + 0.3f * shape_.sulci);
  const float star = std::min({ellipsoid(m, {0, -14, -27}, {15 * thin, 9, 7}),
                               capsule(m, {4, -18, -27}, {30, -16, -20}, 3 * thin, 2.5f * thin),
                               capsule(m, {0, -20, -26}, {0, -44, -20}, 2, 1.5f)});
  const float ambient =
      std::max({std::abs(capsule(m, {0, 0, 0}, {0, 3, -30}, 17, 17)) - 1.2f * thin, std::abs(m.z + 12) - 5, 4 - m.y});
  const float quad = ellipsoid(m, {0, 23, -6}, {11 * thin, 4, 5});
  const float sylvian = std::max(
      {std::abs(m.z + 5 - 0.32f * (m.y + 10) - 1.5f * wave(m.x / 29)) - 1.9f * thin, 37 - m.x, std::abs(m.y + 9) - 23});
  const float insula = std::max({std::abs(m.x - 42.5f + 0.008f * (m.y + 8) * (m.y + 8)) - 1.4f * thin,
                                 std::abs(m.y + 8) - 18, std::abs(m.z - 4) - 11});
  const float fluid = std::min({star, ambient, quad, sylvian, insula});
  if (fluid > soft_) return;
  if (blood_ != nullptr && blood_->basal) return mark(sample, *blood_, blood_->hu, fluid - 1.0f);
  if (blood_ != nullptr && brain.side == blood_->side && sylvian < soft_)
    return mark(sample, *blood_, blood_->hu, sylvian - 0.8f);
  blend(sample, kFluid, fluid);
}

void Head::paint_ventricles(Sample& sample, const Brain& brain) const {
  const Point m{std::abs(brain.q.x), brain.q.y, brain.q.z};
  const float wide = shape_.ventricles * findings_.ventricles * (1 - 0.5f * brain.pressed);
  if (m.x < 48 && m.z < 44 && m.z > -28) {
    const float front = capsule(m, {7, -37, 9}, {9, -12, 22}, 4.5f * wide, 5 * wide);
    const float body = capsule(m, {9, -12, 22}, {14, 20, 23}, 5 * wide, 6 * wide);
    const float trigone = capsule(m, {14, 20, 23}, {25, 36, 7}, 6 * wide, 7 * wide);
    const float back = capsule(m, {25, 36, 7}, {20, 60, 4}, 6.5f * wide, 3 * wide);
    const float temporal = capsule(m, {26, 33, 4}, {31, -2, -17}, 3 * wide, 1.8f * wide);
    const float all = std::min({front, body, trigone, back, temporal});
    blend(sample, kFluid, all);
    const Lesion* blood = ventricle_blood_;
    if (blood != nullptr && (blood->side == 0 || blood->side == brain.side))
      mark(sample, *blood, blood->hu, blood->layered ? std::max(all, 60 - blood->thickness - brain.p.y) : all + 0.4f);
    if (shape_.calcified_plexus) blend(sample, 160, length(m - Point{24, 34, 9}) - 2.5f);
  }
  blend(sample, kFluid, ellipsoid(m, {0, -2, 4}, {2.3f * wide, 14, 11}));
  if (shape_.calcified_pineal) blend(sample, 170, length(brain.q - Point{0, 20, 1}) - 2.2f);
}

void Head::paint_falx(Sample& sample, const Brain& brain) const {
  const Point& q = brain.q;
  if (std::abs(q.x) > 8 || q.z < -18) return;
  // Above and around the corpus callosum alone; at the front and the back it reaches further down.
  const float ring = 1 - std::hypot((q.y + 2) / 48, (q.z - 6) / 34);
  const float beyond = ring * 30;
  const float basal = q.y > 0 ? tentorium(brain.p) - q.z : -30 - q.z;
  const float gap = (0.9f + 0.5f * shape_.cortex_gap) * (1 - 0.5f * brain.pressed);
  if (blood_ != nullptr && blood_->basal && q.y < -20)
    mark(sample, *blood_, blood_->hu, std::max({std::abs(q.x) - gap - 0.8f, beyond, basal}));
  else
    blend(sample, kFluid, std::max({std::abs(q.x) - gap, beyond, basal}));
  blend(sample, kFalx, std::max({std::abs(q.x) - 0.7f, beyond + 4, basal}));
}

namespace {

// Depth that a collection along the skull reaches at p: largest at its centre, none beyond its reach.
float crescent(const Lesion& lesion, const Point& p) {
  const Point a{p.x / kCavity.x, p.y / kCavity.y, p.z / kCavity.z};
  const Point b{lesion.centre.x / kCavity.x, lesion.centre.y / kCavity.y, lesion.centre.z / kCavity.z};
  const float cosine = dot(a, b) / (length(a) * length(b) + 1e-6f);
  const float t = std::sqrt(std::max(0.0f, 2 - 2 * cosine)) / lesion.reach;  // the chord is near enough to the angle
  return lesion.thickness * (1 - t * t) * std::min(1.0f, static_cast<float>(lesion.side) * p.x / 10);
}

float lens(const Lesion& lesion, const Point& p) {
  const float ball = lesion.radii.x;
  const float outward = 1 + (ball - lesion.thickness) / length(lesion.centre);
  return length(p - Point{outward * lesion.centre.x, outward * lesion.centre.y, outward * lesion.centre.z}) - ball;
}

float clot(const Lesion& lesion, const Point& p) {
  const float rough =
      wave(p.x / 17 + lesion.radii.x) + wave(p.y / 15 + lesion.radii.y) + wave(p.z / 16 + lesion.radii.z);
  return ellipsoid(p, lesion.centre, lesion.radii) + 0.9f * rough;
}

}  // namespace

void Head::paint_lesions(Sample& sample, const Brain& brain) const {
  const Point& p = brain.p;
  for (const auto& lesion : findings_.lesions) {
    const float texture = 2.5f * wave(p.x / 13 + p.z / 17) + 2 * wave(p.y / 11);
    switch (lesion.kind) {
      case LesionKind::parenchymal: {
        const float distance = clot(lesion, p);
        blend(sample, kEdema, distance - 0.15f * lesion.radii.x);
        mark(sample, lesion, lesion.hu + texture, distance);
        break;
      }
      case LesionKind::mass: mark(sample, lesion, lesion.hu + texture, clot(lesion, p)); break;
      case LesionKind::subdural:
        if (static_cast<float>(lesion.side) * p.x > 0 && brain.depth < lesion.thickness + soft_ && !brain.hind)
          mark(sample, lesion, lesion.hu + texture, brain.depth - crescent(lesion, p));
        break;
      case LesionKind::epidural: mark(sample, lesion, lesion.hu + texture, lens(lesion, p)); break;
      case LesionKind::subarachnoid: {
        if (lesion.basal || brain.side != lesion.side || brain.depth > 20 || brain.hind) break;
        const float near = length(p - lesion.centre) - 62 * lesion.reach;
        const float film = std::min(brain.depth - 2.2f, std::max(brain.sulcus - 2.1f, brain.depth - 17));
        mark(sample, lesion, lesion.hu, std::max(near, film));
        break;
      }
      case LesionKind::intraventricular:
      case LesionKind::fracture: break;  // painted with what they lie in
    }
  }
}

}  // namespace strata::phantom
