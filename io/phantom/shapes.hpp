// SPDX-License-Identifier: Apache-2.0
//
// Signed distances (negative inside, mm) and waves that heads are made of.
#pragma once

#include <algorithm>
#include <cmath>

#include "io/phantom/findings.hpp"

namespace strata::phantom {

inline Point operator-(const Point& a, const Point& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline float dot(const Point& a, const Point& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline float length(const Point& a) { return std::sqrt(dot(a, a)); }

// To first order near the surface; grows more slowly far from it.
inline float ellipsoid(const Point& p, const Point& centre, const Point& radii) {
  const Point inverse{1 / radii.x, 1 / radii.y, 1 / radii.z};
  const Point q{(p.x - centre.x) * inverse.x, (p.y - centre.y) * inverse.y, (p.z - centre.z) * inverse.z};
  const float r = length(q);
  const float gradient = length({q.x * inverse.x, q.y * inverse.y, q.z * inverse.z});
  return gradient > 1e-6f ? r * (r - 1) / gradient : -std::min({radii.x, radii.y, radii.z});
}

// A tube from a to b with round ends; its radius goes from ra to rb.
inline float capsule(const Point& p, const Point& a, const Point& b, float ra, float rb) {
  const Point along = b - a, from = p - a;
  const float t = std::clamp(dot(from, along) / dot(along, along), 0.0f, 1.0f);
  return length(from - Point{t * along.x, t * along.y, t * along.z}) - (ra + t * (rb - ra));
}

inline float smooth_step(float t) {
  t = std::clamp(t, 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

// Near sin(2πt), made of parabolas: the argument is in turns, |t| < 2^30.
inline float wave(float t) {
  t -= static_cast<float>(static_cast<int>(t + (t < 0 ? -0.5f : 0.5f)));
  return t * (8 - 16 * std::abs(t));
}

}  // namespace strata::phantom
