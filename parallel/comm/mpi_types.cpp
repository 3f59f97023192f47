// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/mpi_types.hpp"

#include <algorithm>

#include "parallel/comm/mpi_check.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

struct Add {
  float operator()(float a, float b) const { return a + b; }
};
struct Larger {
  float operator()(float a, float b) const { return std::max(a, b); }
};
struct Smaller {
  float operator()(float a, float b) const { return std::min(a, b); }
};

template <class Op>
void combine_bf16(void* in, void* in_out, int* length, MPI_Datatype*) {
  const auto* a = static_cast<const BFloat16*>(in);
  auto* b = static_cast<BFloat16*>(in_out);
  for (int i = 0; i < *length; ++i) b[i] = BFloat16(Op{}(static_cast<float>(a[i]), static_cast<float>(b[i])));
}

std::size_t index_of(Reduction reduction) { return static_cast<std::size_t>(reduction); }

}  // namespace

MPI_Datatype mpi_type(DType dtype) {
  switch (dtype) {
    case DType::f32: return MPI_FLOAT;
    case DType::bf16: return MPI_UINT16_T;
    case DType::f64: return MPI_DOUBLE;
    case DType::i32: return MPI_INT32_T;
    case DType::i64: return MPI_INT64_T;
    case DType::u8: return MPI_UINT8_T;
    case DType::i16: return MPI_INT16_T;
  }
  fail(ErrorKind::internal, "mpi", "an element type that MPI has not");
}

MpiReductions::MpiReductions() {
  STRATA_MPI(MPI_Op_create(combine_bf16<Add>, 1, &bf16_[index_of(Reduction::sum)]));
  STRATA_MPI(MPI_Op_create(combine_bf16<Larger>, 1, &bf16_[index_of(Reduction::max)]));
  STRATA_MPI(MPI_Op_create(combine_bf16<Smaller>, 1, &bf16_[index_of(Reduction::min)]));
}

MpiReductions::~MpiReductions() {
  for (auto& op : bf16_) MPI_Op_free(&op);
}

MPI_Op MpiReductions::op(Reduction reduction, DType dtype) const {
  if (dtype == DType::bf16) return bf16_[index_of(reduction)];
  switch (reduction) {
    case Reduction::sum: return MPI_SUM;
    case Reduction::max: return MPI_MAX;
    case Reduction::min: return MPI_MIN;
  }
  fail(ErrorKind::internal, "mpi", "a reduction that MPI has not");
}

}  // namespace strata::comm
