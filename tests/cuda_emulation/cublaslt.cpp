// SPDX-License-Identifier: Apache-2.0
//
// As much of cuBLASLt as src/backends/cuda/cublaslt.cpp calls, by loops, from the descriptions it is given: wrong
// layouts, leading dimensions, transposes, epilogues or batches give wrong numbers or a status here as there. It serves
// what lies on 16 bytes; the rest goes to the own kernel, so that both are tested.
#include <cublasLt.h>
#include <cuda_bf16.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

struct Layout : cublasLtMatrixLayoutOpaque_t {
  cudaDataType type = CUDA_R_32F;
  std::int64_t rows = 0, columns = 0, ld = 0;
  std::int32_t batches = 1;
  std::int64_t stride = 0;
};

struct Description : cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType scale = CUDA_R_32F;
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;  // or bias gradient
  cudaDataType bias_type = CUDA_R_32F;
};

struct Preference : cublasLtMatmulPreferenceOpaque_t {
  std::uint64_t workspace = 0;
  std::uint32_t least_alignment = 256;
};

Layout& of(cublasLtMatrixLayout_t handle) { return *static_cast<Layout*>(handle); }
Description& of(cublasLtMatmulDesc_t handle) { return *static_cast<Description*>(handle); }
Preference& of(cublasLtMatmulPreference_t handle) { return *static_cast<Preference*>(handle); }

double read(const void* data, cudaDataType type, std::int64_t i) {
  if (type == CUDA_R_64F) return static_cast<const double*>(data)[i];
  if (type == CUDA_R_32F) return static_cast<double>(static_cast<const float*>(data)[i]);
  return static_cast<double>(__bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]));
}

void write(void* data, cudaDataType type, std::int64_t i, double value) {
  if (type == CUDA_R_64F)
    static_cast<double*>(data)[i] = value;
  else if (type == CUDA_R_32F)
    static_cast<float*>(data)[i] = static_cast<float>(value);
  else
    static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(static_cast<float>(value));
}

std::size_t size_of(cudaDataType type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

bool fits(const Layout& layout, std::int64_t rows, std::int64_t columns, const Layout& y) {
  return layout.rows == rows && layout.columns == columns && layout.ld >= layout.rows && layout.batches == y.batches;
}

// As cuBLAS's table of types says: what is added up in f32 or f64, and a bias in the type of the result.
bool types_fit(const Description& d, const Layout& a, const Layout& b, const Layout& c, const Layout& y) {
  const bool f64 = a.type == CUDA_R_64F;
  if (a.type != b.type || c.type != y.type || d.scale != (f64 ? CUDA_R_64F : CUDA_R_32F) ||
      d.compute != (f64 ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F))
    return false;
  if (y.type != a.type && !(a.type == CUDA_R_16BF && y.type == CUDA_R_32F)) return false;
  return d.epilogue == CUBLASLT_EPILOGUE_DEFAULT || (!f64 && d.bias_type == y.type);
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t compute, cudaDataType scale) {
  auto* description = new Description{};
  description->compute = compute;
  description->scale = scale;
  *handle = description;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) {
  delete &of(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  Description& d = of(handle);
  const auto take = [&](auto& field) {
    if (bytes != sizeof(field)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&field, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return take(d.a);
    case CUBLASLT_MATMUL_DESC_TRANSB: return take(d.b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return take(d.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return take(d.bias);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return take(d.bias_type);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t ld) {
  auto* layout = new Layout{};
  layout->type = type;
  layout->rows = static_cast<std::int64_t>(rows);
  layout->columns = static_cast<std::int64_t>(columns);
  layout->ld = ld;
  *handle = layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) {
  delete &of(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && bytes == sizeof(std::int32_t))
    std::memcpy(&of(handle).batches, value, bytes);
  else if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET && bytes == sizeof(std::int64_t))
    std::memcpy(&of(handle).stride, value, bytes);
  else
    return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* handle) {
  *handle = new Preference{};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
  delete &of(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  Preference& preference = of(handle);
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
    if (bytes != sizeof(preference.workspace)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&preference.workspace, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  }
  std::uint32_t alignment = 0;  // of A, B, C or D
  if (bytes != sizeof(alignment)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&alignment, value, bytes);
  preference.least_alignment = std::min(preference.least_alignment, alignment);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t y,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t results[], int* count) {
  *count = 0;
  if (!types_fit(of(description), of(a), of(b), of(c), of(y)) || of(preference).least_alignment < 16)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0] = {};
  results[0].workspaceSize = std::min<std::uint64_t>(of(preference).workspace, 4096);
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* y,
                              cublasLtMatrixLayout_t y_layout, const cublasLtMatmulAlgo_t*, void* workspace,
                              size_t workspace_bytes, cudaStream_t) {
  const Description& d = of(description);
  const Layout &la = of(a_layout), &lb = of(b_layout), &lc = of(c_layout), &ly = of(y_layout);
  const std::int64_t m = ly.rows, n = ly.columns, k = d.a == CUBLAS_OP_N ? la.columns : la.rows;
  if (!types_fit(d, la, lb, lc, ly) || !fits(ly, m, n, ly) || !fits(lc, m, n, ly) ||
      !(d.a == CUBLAS_OP_N ? fits(la, m, k, ly) : fits(la, k, m, ly)) ||
      !(d.b == CUBLAS_OP_N ? fits(lb, k, n, ly) : fits(lb, n, k, ly)))
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memset(workspace, 0xee, workspace_bytes);
  const double scale = read(alpha, d.scale, 0), kept = read(beta, d.scale, 0);
  const auto at = [](const void* data, const Layout& layout, std::int64_t batch) {
    return static_cast<const std::byte*>(data) +
           static_cast<std::ptrdiff_t>(batch * layout.stride) * static_cast<std::ptrdiff_t>(size_of(layout.type));
  };
  for (std::int64_t batch = 0; batch < ly.batches; ++batch) {
    const void *from_a = at(a, la, batch), *from_b = at(b, lb, batch), *from_c = at(c, lc, batch);
    void* to = const_cast<std::byte*>(at(y, ly, batch));
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (std::int64_t p = 0; p < k; ++p)
          sum += read(from_a, la.type, d.a == CUBLAS_OP_N ? i + p * la.ld : p + i * la.ld) *
                 read(from_b, lb.type, d.b == CUBLAS_OP_N ? p + j * lb.ld : j + p * lb.ld);
        sum *= scale;
        if (kept != 0) sum += kept * read(from_c, lc.type, i + j * lc.ld);
        if (d.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += read(d.bias, d.bias_type, i);
        write(to, ly.type, i + j * ly.ld, sum);
      }
    if (d.epilogue == CUBLASLT_EPILOGUE_BGRADB)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t p = 0; p < k; ++p)
          sum += read(from_b, lb.type, d.b == CUBLAS_OP_N ? p + j * lb.ld : j + p * lb.ld);
        write(d.bias, d.bias_type, j, sum);
      }
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
