// SPDX-License-Identifier: Apache-2.0
//
// Which device a process works on.
#pragma once

#include <functional>
#include <string>

#include "backends/cuda/cuda.hpp"

namespace strata::cuda {

// The number of this process among those on its node, as launchers put it into the environment (Open MPI, Slurm,
// MPICH, MVAPICH); 0 where none did.
int local_rank(const std::function<const char*(const char*)>& environment);

// `wanted`: CudaOptions::device. Ranks beyond the devices share them in turn.
int choose_device(int wanted, const CudaDevices& found);

}  // namespace strata::cuda
