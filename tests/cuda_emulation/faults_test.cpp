// SPDX-License-Identifier: Apache-2.0
// What kernels write down of indexes that point nowhere, and what is said about it.
#include "backends/cuda/faults.hpp"

#include <gtest/gtest.h>

#include "backends/cuda/cuda.hpp"
#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/patches.hpp"
#include "strata/ops/sigmoid_cross_entropy.hpp"
#include "strata/runtime/host_backend.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::cuda {
namespace {

class Faults_cuda_emulated : public ::testing::Test {
 protected:
  void expect(ErrorKind kind, const std::string& sentence) {
    fixtures::expect_error([&] { check_faults(*faults_of(ctx_)); }, kind,
                           sentence + ": the device found it in work that was waited for here");
    *faults_of(ctx_) = no_faults();
    EXPECT_NO_THROW(check_faults(*faults_of(ctx_)));
  }
  Tensor zeros(const Shape& shape) { return ctx_.zeros(DType::f32, shape); }
  template <class T>
  Tensor list(const std::vector<T>& values) {
    return ctx_.tensor(values, {static_cast<std::int64_t>(values.size())});
  }

  KernelTable table_ = make_cuda_table();
  Context ctx_{make_host_backend("cuda emulated"), table_};
};

TEST_F(Faults_cuda_emulated, OfRows) {
  using I = std::vector<std::int32_t>;
  ops::run(ctx_, ops::GatherRows{}, {zeros({4, 3}), list(I{0, 3})});
  EXPECT_NO_THROW(check_faults(*faults_of(ctx_)));
  ops::run(ctx_, ops::GatherRows{}, {zeros({4, 3}), list(I{0, 4, -2})});
  expect(ErrorKind::data, "[gather_rows] index[1] = 4 is outside the table of 4 rows");
  ops::run(ctx_, ops::GatherRows{}, {zeros({4, 8}), list(I{-1})});
  expect(ErrorKind::data, "[gather_rows] index[0] = -1 is outside the table of 4 rows");
  ops::run(ctx_, ops::ScatterAddRows{2}, {zeros({3, 5}), list(I{0, 1, 2})});
  expect(ErrorKind::data, "[scatter_add_rows] index[2] = 2 is outside the table of 2 rows");
  ops::run(ctx_, ops::AddRows{}, {zeros({1, 3}), zeros({7, 3}), list(I{9})});
  expect(ErrorKind::data, "[add_rows] index[0] = 9 is outside the table of 7 rows");
}

TEST_F(Faults_cuda_emulated, OfPatches) {
  const ops::PatchUnfold unfold{.geometry = {{2, 2, 2}}};
  ops::run(ctx_, unfold, {zeros({1, 1, 2, 4, 4}), list(std::vector<std::int32_t>{0, 4})});
  expect(ErrorKind::data, "[patch_unfold] kept[1] = 4 is outside the 4 patches of the volume");
}

TEST_F(Faults_cuda_emulated, OfTargets) {
  using I = std::vector<std::int64_t>;
  ops::run(ctx_, ops::CrossEntropy{}, {zeros({3, 5}), list(I{4, 5, 0})});
  expect(ErrorKind::data, "[cross_entropy] row 1 has target 5, but there are 5 classes");
  ops::run(ctx_, ops::SigmoidCrossEntropy{}, {zeros({2, 600}), list(I{-1, -2})});
  expect(ErrorKind::data, "[sigmoid_cross_entropy] row 1 has target -2, but there are 600 columns");
}

}  // namespace
}  // namespace strata::cuda
