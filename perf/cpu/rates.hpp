// SPDX-License-Identifier: Apache-2.0
//
// What the files of perf_cpu share. Each prints JSON, a line a row, and judges nothing.
#pragma once

#include <functional>

#include "strata/runtime/context.hpp"

namespace strata::perf {

// The best of several after one that does not count: what the machine can do when others leave it alone. Of 0
// repetitions: that one.
double best_seconds(int repetitions, const std::function<void()>& work);
Tensor filled(Context& ctx, const Shape& shape, DType dtype = DType::f32);

// bf16 and f32 attention, forward and backward, on sequences of several lengths, beside products in the same type.
void attention_rates(Context& ctx, int repetitions);
// The same once, for the 47 040 tokens of a study of forty scans: 20 TFLOP.
void attention_of_a_study(Context& ctx);

}  // namespace strata::perf
