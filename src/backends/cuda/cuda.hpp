// SPDX-License-Identifier: Apache-2.0
//
// The CUDA backend: device memory, streams and events, and a table of kernels from cuBLASLt, cuDNN and this folder.
// Every call works without a device or a driver, too: it then says what is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "strata/runtime/kernel_table.hpp"

namespace strata {

class Backend;

struct CudaDevice {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;
};

struct CudaDevices {
  std::vector<CudaDevice> devices;
  std::string why_none;  // where there is no device: no driver, one too old, none visible
};

CudaDevices cuda_devices();
std::string cuda_libraries();  // versions of runtime, driver, cuBLASLt and cuDNN: for people

struct CudaOptions {
  int device = -1;  // -1: the number of this process on its node, modulo the devices there are
  // Gradients of attention with the same bits each time. They cost a pass of scores through memory, up to 2 GiB of it
  // (8 for a sequence that needs as much for one head); without, parts of sums are added as they come.
  bool exact = true;
};

// Environment error where there is no device, or none of that number.
std::shared_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});
KernelTable make_cuda_table();

// Page-locked host memory, which the backend's device reads and writes without a copy in between: for loaders, on any
// thread. nullptr: no more.
void* take_pinned(const Backend& cuda, std::size_t bytes);
void give_pinned(void* data);

}  // namespace strata
