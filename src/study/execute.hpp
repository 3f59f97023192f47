// SPDX-License-Identifier: Apache-2.0
//
// Carries a plan out. Slices go through one by one and rows within them stay in the first cache: read (window,
// padding), combined along D, along H, along W, and written as f32 or rounded to integers, in one pass over what the
// result depends on. The order of the axes is chosen by what is cheaper and depends on extents alone.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "strata/study/scan.hpp"
#include "study/plan.hpp"
#include "study/simd/rows.hpp"

namespace strata::study {

// One result: clip((x − low) · scale, 0, 1) in the levels of an integer type, or x + shift in f32.
struct Output {
  DType dtype = DType::f32;
  void* data = nullptr;  // [plan.geometry.extents]
  float low = 0, scale = 1, shift = 0;
};

// One way of reading the source, and what it gives.
struct Pass {
  ReadMap read;
  std::vector<Output> outputs;
};

// voxels: [plan.source]. Several passes take turns slice by slice, so that the source comes from memory once.
void execute(const float* voxels, const Plan& plan, std::span<const Pass> passes);

// For a plan that is a selection: voxels are copied bit by bit, what is added holds `fill`.
void copy_selected(const float* voxels, const Plan& plan, float fill, float* out);

}  // namespace strata::study
