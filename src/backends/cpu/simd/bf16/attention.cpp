// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/bf16/attention_kernels.hpp"
#ifdef __AMX_BF16__
#include "backends/cpu/simd/bf16/tiles.hpp"
#endif

namespace strata::cpu::STRATA_ISA {
namespace {

#ifdef __AMX_BF16__
using Unit = Tiles<AmxTiles>;
#else
using Unit = Registers;
#endif

}  // namespace

extern const AttentionSimd<std::uint16_t> attention_bf16_simd = Bf16Attention<Unit>::kKernels;

}  // namespace strata::cpu::STRATA_ISA
