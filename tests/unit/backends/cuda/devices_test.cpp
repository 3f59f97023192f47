// SPDX-License-Identifier: Apache-2.0
//
// What a machine without a device must say, and which device a rank takes where there are some.
#include "backends/cuda/devices.hpp"

#include <gtest/gtest.h>

#include <map>

#include "strata/runtime/backend.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::cuda {
namespace {

int rank_in(const std::map<std::string, std::string>& environment) {
  return local_rank([&](const char* name) {
    const auto at = environment.find(name);
    return at == environment.end() ? nullptr : at->second.c_str();
  });
}

TEST(Devices, TheLauncherSaysWhichRankOfTheNodeThisIs) {
  EXPECT_EQ(rank_in({}), 0);
  EXPECT_EQ(rank_in({{"SLURM_LOCALID", "3"}}), 3);
  EXPECT_EQ(rank_in({{"OMPI_COMM_WORLD_LOCAL_RANK", "1"}, {"SLURM_LOCALID", "0"}}), 1) << "mpirun within a job";
  EXPECT_EQ(rank_in({{"SLURM_LOCALID", "x"}, {"MPI_LOCALRANKID", "2"}}), 2);
  EXPECT_EQ(rank_in({{"SLURM_LOCALID", "-1"}}), 0);
}

TEST(Devices, AreChosenByNumberOrInTurn) {
  CudaDevices two;
  two.devices.resize(2);
  EXPECT_EQ(choose_device(1, two), 1);
  EXPECT_NE(fixtures::message_of([&] { choose_device(2, two); }, ErrorKind::environment).find("there are 2, from 0"),
            std::string::npos);
  EXPECT_LT(choose_device(-1, two), 2);
}

TEST(Devices, WithoutOneItIsSaidWhy) {
  const CudaDevices found = cuda_devices();
  if (!found.devices.empty()) GTEST_SKIP() << "this machine has a device";
  EXPECT_FALSE(found.why_none.empty());
  const auto said = fixtures::message_of([] { make_cuda_backend(); }, ErrorKind::environment);
  EXPECT_NE(said.find("there is no device: " + found.why_none), std::string::npos) << said;
  EXPECT_NE(cuda_libraries().find("cuDNN 9"), std::string::npos) << cuda_libraries();
}

}  // namespace
}  // namespace strata::cuda
