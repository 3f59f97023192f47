// SPDX-License-Identifier: Apache-2.0
// Resampling against torch.nn.functional.interpolate: values and gradients, on every backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/safetensors/safetensors.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/resample.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/golden_data.hpp"
#include "tests/fixtures/golden_file.hpp"

namespace strata {
namespace {

using ops::Resample;
using ops::ResampleFilter;

ResampleFilter filter_of(const std::string& name) {
  if (name.starts_with("bicubic_antialias")) return ResampleFilter::cubic_antialias;
  return name.starts_with("bicubic") ? ResampleFilter::cubic : ResampleFilter::linear;
}

std::vector<std::string> case_names(const io::SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const auto& entry : file.entries())
    if (entry.name.ends_with(".in")) names.push_back(entry.name.substr(0, entry.name.size() - 3));
  return names;
}

std::vector<std::int64_t> sizes_of(const Tensor& table) {  // [sizes.., C]
  const auto extents = table.shape().extents();
  return {extents.begin(), extents.end() - 1};
}

Tensor backward(Context& ctx, Tensor grad, const std::vector<std::int64_t>& to, ResampleFilter filter) {
  for (int axis = static_cast<int>(to.size()) - 1; axis >= 0; --axis) {
    const auto in = to[static_cast<std::size_t>(axis)];
    if (in != grad.dim(axis)) grad = ops::run1(ctx, Resample{axis, in, grad.dim(axis), filter, true}, {grad});
  }
  return grad;
}

void check(Context& ctx, const io::SafetensorsFile& file, const std::string& name, DType dtype, double tolerance) {
  const auto load = [&](const char* what) { return ops::cast(ctx, ctx.upload(file.load(name + what)), dtype); };
  const Tensor in = load(".in"), expected = file.load(name + ".out64");
  const Tensor out = ops::resample(ctx, in, 0, sizes_of(expected), filter_of(name));
  EXPECT_LT(fixtures::relative_error(ctx, out, expected), tolerance);
  const Tensor grad = backward(ctx, load(".cotangent"), sizes_of(in), filter_of(name));
  EXPECT_LT(fixtures::relative_error(ctx, grad, file.load(name + ".grad64")), tolerance);
}

TEST(ResampleGolden, EqualsInterpolate) {
  const io::SafetensorsFile file = fixtures::golden_data("resample");
  const auto names = case_names(file);
  ASSERT_EQ(names.size(), 14u);
  for (auto& backend : conformance::make_backends())
    for (const auto& name : names) {
      SCOPED_TRACE(backend.name + ": " + name);
      Context ctx = backend.context();
      check(ctx, file, name, DType::f32, 1e-6);
      check(ctx, file, name, DType::f64, 1e-14);
    }
}

}  // namespace
}  // namespace strata
