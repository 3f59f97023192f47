// SPDX-License-Identifier: Apache-2.0
//
// A driver without devices: it takes code and forgets it. Whoever asks for a device hears that there is none.
#include <cstdint>

namespace {
constexpr int kDone = 0, kNoDevice = 100;
void* const kSomething = reinterpret_cast<void*>(std::uintptr_t{64});
}  // namespace

#define TAKES(name) \
  int name() { return kDone; }
#define HAS_NO_DEVICE(name) \
  int name() { return kNoDevice; }

extern "C" {

int cuLibraryLoadData(void** library, const void*, void*, void**, unsigned, void*, void**, unsigned) {
  *library = kSomething;
  return kDone;
}
int cuLibraryGetKernel(void** kernel, void*, const char*) {
  *kernel = kSomething;
  return kDone;
}
int cuGetErrorString(int, const char** text) {
  *text = "no device";
  return kDone;
}
int cuGetErrorName(int, const char** text) {
  *text = "CUDA_ERROR_NO_DEVICE";
  return kDone;
}
TAKES(cuLibraryUnload)
TAKES(cuKernelSetAttribute)
TAKES(cuKernelGetAttribute)
TAKES(cuModuleUnload)
HAS_NO_DEVICE(cuLibraryLoadFromFile)
HAS_NO_DEVICE(cuModuleLoadData)
HAS_NO_DEVICE(cuModuleGetFunction)
HAS_NO_DEVICE(cuModuleGetGlobal_v2)
HAS_NO_DEVICE(cuInit)
HAS_NO_DEVICE(cuDriverGetVersion)
HAS_NO_DEVICE(cuDeviceGet)
HAS_NO_DEVICE(cuDeviceGetCount)
HAS_NO_DEVICE(cuDeviceGetAttribute)
HAS_NO_DEVICE(cuGetProcAddress)
HAS_NO_DEVICE(cuGetProcAddress_v2)
HAS_NO_DEVICE(cuCtxGetCurrent)
HAS_NO_DEVICE(cuCtxGetDevice)
HAS_NO_DEVICE(cuCtxGetLimit)
HAS_NO_DEVICE(cuCtxPopCurrent)
HAS_NO_DEVICE(cuCtxPushCurrent)
HAS_NO_DEVICE(cuStreamGetCtx)
HAS_NO_DEVICE(cuLinkCreate)
HAS_NO_DEVICE(cuLinkAddData)
HAS_NO_DEVICE(cuLinkComplete)
HAS_NO_DEVICE(cuLinkDestroy)
HAS_NO_DEVICE(cuLaunchKernel)
HAS_NO_DEVICE(cuLaunchKernelEx)
HAS_NO_DEVICE(cuLaunchCooperativeKernel)
HAS_NO_DEVICE(cuFuncSetAttribute)
HAS_NO_DEVICE(cuFuncGetAttribute)
HAS_NO_DEVICE(cuTensorMapEncodeTiled)
HAS_NO_DEVICE(cuTensorMapEncodeIm2col)
HAS_NO_DEVICE(cuOccupancyMaxPotentialClusterSize)
HAS_NO_DEVICE(cuOccupancyMaxActiveClusters)
HAS_NO_DEVICE(cuOccupancyMaxActiveBlocksPerMultiprocessor)

}  // extern "C"
