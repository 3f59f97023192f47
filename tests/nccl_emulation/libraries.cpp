// SPDX-License-Identifier: Apache-2.0
//
// What of cuBLASLt and cuDNN the backend's own files name; no kernel runs here.
#include <cublasLt.h>
#include <cudnn.h>

extern "C" {
cublasStatus_t cublasLtCreate(cublasLtHandle_t*) { return CUBLAS_STATUS_NOT_SUPPORTED; }
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "emulated"; }
size_t cublasLtGetVersion() { return 0; }
cudnnStatus_t cudnnCreate(cudnnHandle_t*) { return CUDNN_STATUS_NOT_SUPPORTED; }
cudnnStatus_t cudnnDestroy(cudnnHandle_t) { return CUDNN_STATUS_SUCCESS; }
const char* cudnnGetErrorString(cudnnStatus_t) { return "emulated"; }
void cudnnGetLastErrorString(char* text, size_t) { *text = '\0'; }
size_t cudnnGetVersion() { return 0; }
}
