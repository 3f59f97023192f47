// SPDX-License-Identifier: Apache-2.0
//
// cuBLASLt thinks in columns: row-major y = a · b is column-major yᵀ = bᵀ · aᵀ, so its first operand is b, its rows are
// N, and a bias over its rows is one over our columns. Which algorithm serves a product is asked once for each shape,
// alignment and epilogue, and kept with the backend.
#include <cublasLt.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "backends/cuda/backend.hpp"
#include "backends/cuda/check.hpp"
#include "backends/cuda/product.hpp"
#include "backends/cuda/product_choices.hpp"

namespace strata::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // what Hopper's algorithms ask for at most

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::bf16 ? CUDA_R_16BF : dtype == DType::f64 ? CUDA_R_64F : CUDA_R_32F;
}

// Largest power of two, up to 256, that divides an address.
std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data) | 256u;
  return std::uint32_t{1} << std::countr_zero(address);
}

template <class T, cublasStatus_t (*destroy)(T)>
struct Handle {
  T value = nullptr;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value != nullptr) destroy(value);
  }
};
using Description = Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

template <class T>
void set(Description& description, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(description.value, attribute, &value, sizeof(value)),
        "cublasLtMatmulDescSetAttribute");
}

void describe(Layout& layout, DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t ld, const Product& p,
              std::int64_t stride) {
  check(cublasLtMatrixLayoutCreate(&layout.value, type_of(dtype), static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), std::max(ld, rows)),
        "cublasLtMatrixLayoutCreate");
  if (p.batches == 1) return;
  const auto count = static_cast<std::int32_t>(p.batches);
  check(cublasLtMatrixLayoutSetAttribute(layout.value, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
        "cublasLtMatrixLayoutSetAttribute");
  check(cublasLtMatrixLayoutSetAttribute(layout.value, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                         sizeof(stride)),
        "cublasLtMatrixLayoutSetAttribute");
}

using Key = ProductChoices::Key;
using Choice = ProductChoices::Choice;

Key key_of(const Product& p) {
  const auto flag = [](bool on, int bit) { return on ? 1 << bit : 0; };
  const int form = flag(p.transpose_a, 0) | flag(p.transpose_b, 1) | flag(p.bias != nullptr, 2) |
                   flag(p.residual != nullptr, 3) | flag(p.residual == p.y, 4) | flag(p.column_sums != nullptr, 5);
  const int types = static_cast<int>(p.in) * 64 + static_cast<int>(p.out) * 8 + static_cast<int>(p.bias_type);
  // A null pointer is aligned to everything.
  const auto least = std::min({alignment_of(p.a), alignment_of(p.b), alignment_of(p.y), alignment_of(p.bias),
                               alignment_of(p.residual), alignment_of(p.column_sums)});
  return {p.m, p.n, p.k, p.batches, form, p.lda, p.ldb, p.ldy, p.residual != nullptr ? p.ld_residual : 0, types, least};
}

struct Call {
  Description description;
  Layout a, b, c, y;  // cuBLASLt's first and second operand, the residual, the result

  explicit Call(const Product& p) {
    const bool wide = p.in == DType::f64;
    check(cublasLtMatmulDescCreate(&description.value, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                   wide ? CUDA_R_64F : CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    set(description, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(description, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (p.bias != nullptr) {
      set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
      set(description, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(p.bias_type));
    }
    if (p.column_sums != nullptr) {  // cuBLASLt's b is our a: its sums over what is summed, one a column of the result
      set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BGRADB);
      set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.column_sums);
      set(description, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(p.out));
    }
    if (p.transpose_b)
      describe(a, p.in, p.k, p.n, p.ldb, p, p.batch_b);
    else
      describe(a, p.in, p.n, p.k, p.ldb, p, p.batch_b);
    if (p.transpose_a)
      describe(b, p.in, p.m, p.k, p.lda, p, p.batch_a);
    else
      describe(b, p.in, p.k, p.m, p.lda, p, p.batch_a);
    describe(c, p.out, p.n, p.m, p.residual != nullptr ? p.ld_residual : p.ldy, p, p.batch_y);
    describe(y, p.out, p.n, p.m, p.ldy, p, p.batch_y);
  }
};

Choice choose(const Product& p, const Call& call, cublasLtHandle_t handle) {
  Preference preference;
  check(cublasLtMatmulPreferenceCreate(&preference.value), "cublasLtMatmulPreferenceCreate");
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(preference.value, attribute, &value, sizeof(value)),
          "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(p.b));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(p.a));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(p.residual != nullptr ? p.residual : p.y));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(p.y));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle, call.description.value, call.a.value, call.b.value, call.c.value,
                                     call.y.value, preference.value, 1, &found, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || count == 0) return {};
  check(status, fmt::format("cublasLtMatmulAlgoGetHeuristic of {} x {} x {}", p.m, p.n, p.k));
  return {true, found.algo, found.workspaceSize};
}

}  // namespace

bool multiply_with_cublaslt(const Product& p, Context& ctx) {
  if (p.k == 0) return false;
  const ProductTools tools = product_tools(ctx);
  const Call call(p);
  const Choice choice = tools.choices.of(key_of(p), [&] { return choose(p, call, tools.handle); });
  if (!choice.served) return false;
  const Tensor workspace = ctx.empty(DType::u8, {static_cast<std::int64_t>(choice.workspace)});
  const double one64 = 1, beta64 = p.residual != nullptr ? 1 : 0;
  const float one32 = 1, beta32 = static_cast<float>(beta64);
  const bool wide = p.in == DType::f64;
  check(cublasLtMatmul(tools.handle, call.description.value, wide ? static_cast<const void*>(&one64) : &one32, p.b,
                       call.a.value, p.a, call.b.value, wide ? static_cast<const void*>(&beta64) : &beta32,
                       p.residual != nullptr ? p.residual : p.y, call.c.value, p.y, call.y.value, &choice.algorithm,
                       workspace.raw(), choice.workspace, stream_of(ctx)),
        fmt::format("cublasLtMatmul of {} x {} x {}", p.m, p.n, p.k));
  return true;
}

}  // namespace strata::cuda
