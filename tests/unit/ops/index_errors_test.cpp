// SPDX-License-Identifier: Apache-2.0
// Indexes that data may bring: outside their table they are data errors that name the place.
#include <gtest/gtest.h>

#include "backends/reference/reference.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/patches.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::ops {
namespace {

using fixtures::expect_error;

class IndexErrors : public ::testing::Test {
 protected:
  KernelTable table_ = make_reference_table();
  Context ctx_{make_reference_backend(), table_};

  Tensor zeros(const Shape& shape) { return ctx_.zeros(DType::f32, shape); }
  Tensor index(const std::vector<std::int32_t>& values) {
    return ctx_.tensor(values, {static_cast<std::int64_t>(values.size())});
  }
};

TEST_F(IndexErrors, OfRows) {
  expect_error(
      [&] {
        run(ctx_, GatherRows{}, {zeros({4, 3}), index({0, 4})});
      },
      ErrorKind::data, "[gather_rows] index[1] = 4 is outside the table of 4 rows");
  expect_error(
      [&] {
        run(ctx_, GatherRows{}, {zeros({4, 3}), index({-1})});
      },
      ErrorKind::data, "[gather_rows] index[0] = -1 is outside the table of 4 rows");
  expect_error(
      [&] {
        run(ctx_, ScatterAddRows{2}, {zeros({3, 5}), index({0, 1, 2})});
      },
      ErrorKind::data, "[scatter_add_rows] index[2] = 2 is outside the table of 2 rows");
  expect_error(
      [&] {
        run(ctx_, AddRows{}, {zeros({1, 3}), zeros({7, 3}), index({9})});
      },
      ErrorKind::data, "[add_rows] index[0] = 9 is outside the table of 7 rows");
}

TEST_F(IndexErrors, OfPatches) {
  const PatchUnfold unfold{.geometry = {{2, 2, 2}}};
  expect_error(
      [&] {
        run(ctx_, unfold, {zeros({1, 1, 2, 4, 4}), index({0, 4})});
      },
      ErrorKind::data, "[patch_unfold] kept[1] = 4 is outside the 4 patches of the volume");
}

TEST(PatchGrid, NamesTheAxisThatDoesNotDivide) {
  expect_error(
      [] {
        patch_grid("patch_embed3d", {1, 1, 48, 224, 220}, {{8, 16, 16}});
      },
      ErrorKind::usage,
      "[patch_embed3d] width 220 does not divide into patches of 16: resize or crop the volume to a multiple "
      "of 16 along width");
}

}  // namespace
}  // namespace strata::ops
