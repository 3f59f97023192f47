// SPDX-License-Identifier: Apache-2.0
//
// What the emulated NCCL needs of the emulated runtime.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace strata::nccl_emulation {

int current_device();
int device_of(cudaStream_t stream);
void wait_for_device(int device);  // as what frees memory does
void run_on(cudaStream_t stream, std::function<void()> work);

}  // namespace strata::nccl_emulation
