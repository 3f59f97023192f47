// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/patches.hpp"
#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using ops::PatchFold;
using ops::PatchGeometry;
using ops::PatchUnfold;

OpCase unfold(std::string label, PatchGeometry geometry, std::vector<Input> inputs, double scale = 1,
              double shift = 0) {
  return OpCase(
      std::move(label),
      [=](DType to) {
        return AnyOp::from(PatchUnfold{geometry, scale, shift, to});
      },
      std::move(inputs));
}

OpCase fold(std::string label, PatchGeometry geometry, Shape shape, std::vector<Input> inputs, double scale = 1) {
  return OpCase(std::move(label), PatchFold{geometry, scale, shape}, std::move(inputs));
}

std::vector<OpCase> cases() {
  const PatchGeometry flat{{1, 4, 4}}, small{{2, 4, 4}}, odd{{3, 1, 5}}, mri{{8, 16, 16}}, runs{{2, 4, 16}};
  const Shape volume{2, 1, 4, 8, 12}, channels{2, 3, 4, 8, 8}, long_runs{2, 3, 4, 8, 48};
  const Input kept = integers(DType::i32, {5}, {0, 3, 4, 10, 11});
  const Input some = integers(DType::i32, {5}, {0, 3, 4, 10, 23}), twice = integers(DType::i32, {5}, {0, 4, 4, 4, 23});
  constexpr double kScale = 1 / (255 * 0.226), kShift = -0.449 / 0.226;  // u8 voxels to the encoder's numbers
  return {
      unfold("whole", small, {normal(volume)}),
      unfold("scaled", small, {normal(volume)}, 0.5, -2),
      unfold("channels", flat, {normal(channels)}),
      unfold("odd patch", odd, {normal({1, 2, 6, 3, 10})}, 3, 1),
      unfold("one patch", small, {normal({1, 1, 2, 4, 4})}),
      unfold("no scans", small, {normal({0, 1, 2, 4, 4})}),
      unfold("kept", small, {normal(volume), kept}),
      unfold("none kept", small, {normal(volume), integers(DType::i32, {0}, {})}),
      unfold("u8", small, {integers_below(DType::u8, volume, 256)}, kScale, kShift),
      unfold("u8 kept", small, {integers_below(DType::u8, volume, 256), kept}, kScale, kShift),
      unfold("i16", small, {integers_below(DType::i16, volume, 3000)}, 0.001, -1),
      unfold("long runs", runs, {normal(long_runs)}, 2, 1),
      unfold("long runs, misaligned", runs, {normal(long_runs).as(View::misaligned)}, 2, 1),
      unfold("long runs of u8, kept", runs, {integers_below(DType::u8, long_runs, 256), some}, kScale, kShift),
      unfold("long runs of i16, kept", runs, {integers_below(DType::i16, long_runs, 3000), some}, 0.001, -1),
      unfold("long runs of f32", runs, {normal(long_runs).of(DType::f32)}, 2, 1),
      unfold("f32 volume", small, {normal(volume).of(DType::f32)}, 2, 1),
      unfold("a scan of u8", mri, {integers_below(DType::u8, {1, 1, 48, 224, 224}, 256)}, kScale, kShift)
          .timed(5.0 * 48 * 224 * 224, 0),
      fold("whole", small, volume, {normal({24, 32})}),
      fold("scaled", small, volume, {normal({24, 32})}, 0.25),
      fold("channels", flat, channels, {normal({32, 48})}),
      fold("kept", small, volume, {normal({5, 32}), kept}),
      fold("long runs", runs, long_runs, {normal({24, 384})}, 0.25),
      fold("long runs, one kept often", runs, long_runs, {normal({5, 384}), twice}),
      fold("none kept", small, volume, {normal({0, 32}), integers(DType::i32, {0}, {})}),
  };
}

const RegisterCases registered(cases);

}  // namespace
}  // namespace strata::conformance
