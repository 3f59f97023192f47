// SPDX-License-Identifier: Apache-2.0
//
// As much of the CUDA runtime and of NCCL as src/backends/cuda/backend.cpp and parallel/comm/nccl* call, over threads
// of one process: device memory is host memory, a stream is a thread that runs its work in order and late, an NCCL
// communicator is a meeting of such threads. So what is not ordered by streams and events goes wrong here as it would
// on devices: memory handed out too early, results read too soon, kernels that wait for ranks that wait for them. What
// this cannot show: NCCL's own choices (algorithms, connections), and anything about speed.
#pragma once

namespace strata::nccl_emulation {

inline constexpr int kDevices = 8;

int open_communicators();
int registered_buffers();
// The communicators of this device report an asynchronous error from now on, and their work hangs. -1: all are well
// again.
void fail_on_device(int device);
// What ncclCommInitRankConfig does on this device: it never connects, until `fail_to_connect(-1)`.
void fail_to_connect(int device);

}  // namespace strata::nccl_emulation
